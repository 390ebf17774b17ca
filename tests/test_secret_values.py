from __future__ import annotations

import pytest

from python_runner.secret_values import (
    holds_own_secret,
    is_secret_name,
    own_values,
    secret_values,
)


pytestmark = pytest.mark.pure


SECRET_NAMES = """
    PASSWORDS TOKENS SECRETS API_KEYS STRIPE_KEY OPENAI_KEY ENCRYPTION_KEY SIGNING_KEY
    MASTER_KEY ACCOUNT_KEY SSH_KEY JWT BEARER PIN SESSION_COOKIE AZURE_SAS DB_PW PW
    CLE_API MDP MOT_DE_PASSE SENTRY_DSN WEBHOOK_URL STORAGE_KEY COSMOS_PRIMARY_KEY
    DEPLOY_KEY SSL_KEY_PEM GH_PAT PASSE DB_PASS WIFI_PSK SSHPASS DBPWD dbPassword apiKey
    MotDePasse userPassword2 X-Api-Key FERNET_KEY LICENSE_KEY SLACK_WEBHOOK
    SLACK_WEBHOOK_URL TEAMS_HOOK_URL BASIC_AUTH AUTHORIZATION CLÉ_API cle_privee
    CLES_API MOTS_DE_PASSE JETON JETON_ACCES OTP TOTP_SECRET ADMIN_PIN NPM_TOKEN
    HF_TOKEN AWS_SESSION_TOKEN SECRET_KEY_BASE DJANGO_SECRET_KEY APP_KEY KEY1
    MAILGUN_KEY SAS_TOKEN SAS_URL BLOB_SAS_URL RECOVERY_CODES SESSION_KEY RAVEN_DSN
    TWILIO_AUTH_TOKEN PGPASSWORD MYSQL_PWD FTP_PWD ROOT_PASSWD CREDS DB_CREDS KEY_PROD
    API_KEY_2 STRIPE_KEYS GPG_PASSPHRASE KEYSTORE_PASS LDAP_BIND_PW PASSWORD_SALT
    HMAC_KEY TOKEN_GITHUB SMTPPASS DISCORD_WEBHOOK SIGNATURE_KEY ID_TOKEN
    VAPID_PRIVATE_KEY CODE_PIN PHRASE_DE_PASSE FUNCTIONS_KEY AzureWebJobsStorageKey
    PASSCODE OPENAI_API_KEY_OLD TELEGRAM_BOT_TOKEN REFRESH_TOKEN COOKIE
    PASSWORD_MAIL OAUTH_CLIENT_SECRET DB_PASSWORD db_password DB_PASSWORD_PROD MDP_BASE
    SMTP_PASS APIKEY2 AWS_SECRET_ACCESS_KEY SSH_PRIVATE_KEY GITHUB_TOKEN
    GOOGLE_CREDENTIALS app.secret AZURE_FUNCTION_KEY REDISCLI_AUTH PRIVKEY SIGNKEY
    APPKEY CONSUMERKEY OPENAIKEY UNLOCK_CODE ACTIVATION_CODE ALGOLIA_SEARCH_KEY INNGEST_EVENT_KEY
"""
HARMLESS_NAMES = """
    SSH_ASKPASS GIT_ASKPASS PW_TEST_REPORT SSH_KEY_ALGORITHMS XDG_SESSION_ID
    KEYBOARD MONKEY TOKENIZER PINNED COMPASS PUBLIC_KEY PATH PWD OLDPWD MAX_TOKENS
    TOKENIZERS_PARALLELISM TOKEN_URL PASSWORD_FILE PASSWORD_MIN_LENGTH AWS_ACCESS_KEY_ID
    LOGIN_MAIL BYPASS_CACHE KEYBOARD_LAYOUT TURKEY HOTKEY PRIMARY_KEY FOREIGN_KEY
    SORT_KEY PARTITION_KEY CACHE_KEY COOKIE_NAME SESSION_COOKIE_SECURE TOKEN_TTL SPINNER
    SHIPPING PINK OPINION TOKENIZER_PATH PASSENGER PASSAGE COMPASSION SECRETARY
    SECRETARIAT AUTHOR AUTHENTICATION_URL SASS_PATH DSN_NAME PATCH PATTERN PATIENT_ID
    KEYS_FILE JWT_ALGORITHM JWT_EXPIRES_IN SSH_AUTH_SOCK GPG_AGENT_INFO XDG_SESSION_TYPE
    CLEF_USB CLEAN CLEAR_CACHE NUM_PASSES FIRST_PASS LOW_PASS_FILTER SAS_HOME
    SECRET_NAME KEY_VAULT_NAME CLE_PRIMAIRE ROW_KEY PASS_THROUGH PASSIVE PASSED
    WEBHOOK_PORT INPUT_TOKENS TOKENS_PER_MINUTE USE_TOKEN USER HOME LANG DATABASE_URL
    SMTP_HOST HOOKS_DIR KEYSTORE_PATH LICENSE PUBKEY PUBLICKEY SSH_PUBLIC_KEY
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    """What people call a secret, in English and French, is one."""
    assert is_secret_name(name)
    assert is_secret_name(name.lower()) or name != name.upper()


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_names_of_no_secrets(name: str) -> None:
    """What tells where a secret is, or only sounds like one, is not."""
    assert not is_secret_name(name)
    assert not is_secret_name(name.lower())


HOLDERS = [
    ("postgres://u:p@ssw0rd@h/db", "p@ssw0rd"),
    ("postgres://u:pass/w0rd@h", "pass/w0rd"),
    ("postgres://u:p@ss/w0rd@db.example.org:5432/x?email=a@b.c", "p@ss/w0rd"),
    ("postgres://u:pa:ss?w#rd@db/x", "pa:ss?w#rd"),
    ("postgres://u:p%40ss%2Fword@db/x", "p@ss/word"),
    ("DRIVER={SQL Server};UID=sa;PWD={ab;cd12};SERVER=db", "ab;cd12"),
    ("DRIVER={SQL Server};UID=sa;PWD={ab}}cd;12};SERVER=db", "ab}cd;12"),
    ("Server=db;Password='se;cret1';Database=x", "se;cret1"),
    ('Server=db;Password="se;cr""et1";Database=x', 'se;cr"et1'),
    ("Server=db;User Id=sa;Password=my pass word;Database=x", "my pass word"),
    (
        "Server=tcp:x.database.windows.net,1433;Initial Catalog=d;Persist Security Info=False;User ID=u;Password=p@ss,w0rd!;Encrypt=True",
        "p@ss,w0rd!",
    ),
    (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc123+/def==;EndpointSuffix=core.windows.net",
        "abc123+/def==",
    ),
    (
        "BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=2020&ss=b&sig=abcDEF%3D&se=2",
        "sv=2020&ss=b&sig=abcDEF%3D&se=2",
    ),
    (
        "BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=2020&ss=b&sig=abcDEF%3D&se=2",
        "abcDEF%3D",
    ),
    (
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=kk1122=",
        "kk1122=",
    ),
    ("https://api.example.org/v1?api_key=abcdef123&x=1", "abcdef123"),
    ("https://a.blob.core.windows.net/c?sv=1&sig=ab%2Bcd12&se=3", "ab%2Bcd12"),
    ("https://a.blob.core.windows.net/c?sv=1&sig=ab%2Bcd12&se=3", "ab+cd12"),
    ("https://x/cb#access_token=tok12345", "tok12345"),
    ("https://x/cb?a=1&access_token=tok12345", "tok12345"),
    ("https://maps/x?key=AIza12345", "AIza12345"),
    ("jdbc:oracle:thin:scott/tiger99@//db:1521/x", "tiger99"),
    ("jdbc:oracle:thin:scott/ti@ger9@db:1521:x", "ti@ger9"),
    ("jdbc:postgresql://h/db?user=u&password=pw1234&ssl=true", "pw1234"),
    ("jdbc:sqlserver://h:1433;databaseName=x;user=u;password=pw$1234;", "pw$1234"),
    ("jdbc:sqlserver://h:1433;databaseName=x;user=u;password={pw;1234};", "pw;1234"),
    ("jdbc:mysql://u:pw1234@h/db", "pw1234"),
    ("bob:s3cret77@proxy.example.org:3128", "s3cret77"),
    ("http://bob:s3cret77@proxy.example.org:3128", "s3cret77"),
    ("host=h port=5432 user=u password=s3cret77 dbname=x", "s3cret77"),
    ("host=h password='se cr\\'et7' dbname=x", "se cr'et7"),
    ("password=s3;cret77 host=h dbname=x", "s3;cret77"),
    ("redis://:pass1234@h:6379/0", "pass1234"),
    ("rediss://default:pass1234@h:6379/0", "pass1234"),
    (
        "mongodb+srv://u:p%40ss12@cluster0.abcde.mongodb.net/db?retryWrites=true",
        "p@ss12",
    ),
    ("mongodb://u:pass1234@h1:27017,h2:27017/db", "pass1234"),
    ("amqp://guest:gue5t99@rabbit//", "gue5t99"),
    ("user:pa55word@tcp(db:3306)/x", "pa55word"),
    ("mysql+pymysql://u:pa$$w{o}rd@h/x", "pa$$w{o}rd"),
    ("https://0123456789abcdef0123@o1.ingest.sentry.io/12", "0123456789abcdef0123"),
    ("https://ghp_abcdEFGH1234567890@github.com/x/y.git", "ghp_abcdEFGH1234567890"),
    ('{"user": "u", "password": "s3\\"cret"}', 's3"cret'),
    ("{'api_key': 's3cret77'}", "s3cret77"),
    ("-Xmx1g -Djavax.net.ssl.keyStorePassword=chang3it -Dx=y", "chang3it"),
    ("--user bob --password s3cret77 --verbose", "s3cret77"),
    ("--api-key=s3cret77", "s3cret77"),
    ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
    ("--user bob --password 's3 cret77' --verbose", "s3 cret77"),
    ('--api-key "s3 cret77"', "s3 cret77"),
    ("-s -u bob:s3cret77 https://x", "s3cret77"),
    ("machine h login bob password s3cret77", "s3cret77"),
    ("user: bob\npassword: s3cret77\n", "s3cret77"),
    ("X-Api-Key: s3cret77", "s3cret77"),
    ("mssql+pyodbc:///?odbc_connect=UID%3Dsa%3BPWD%3Ds3cret77%21%3B", "s3cret77!"),
    ("https://hooks.slack.com/services/T00/B00/abcDEF123", "abcDEF123"),
    ("https://hooks.slack.com/services/T00/B00/abcDEF123", "T00/B00/abcDEF123"),
    ("https://discord.com/api/webhooks/123/abcDEF-123", "abcDEF-123"),
    (
        "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d",
        "a@b/IncomingWebhook/c/d",
    ),
    (
        "https://hc-ping.com/5b0e0000-aaaa-bbbb-cccc-000000000000",
        "5b0e0000-aaaa-bbbb-cccc-000000000000",
    ),
    ("https://api.telegram.org/bot123456789:AA" + "b" * 33, "123456789:AA" + "b" * 33),
    ("ghp_" + "a1" * 18, "ghp_" + "a1" * 18),
    ("the token is xoxb-12345-abcdef, keep it", "xoxb-12345-abcdef"),
    ("sk_live_abcdef123456", "sk_live_abcdef123456"),
    ("eyJhbGciOiJI.eyJzdWIiOiIxIn0.abcdefgh", "eyJhbGciOiJI.eyJzdWIiOiIxIn0.abcdefgh"),
    ("scott/tiger99@//db:1521/x", "tiger99"),
    ("scott/tiger99@db:1521/x", "tiger99"),
    ("Data Source=orcl;User Id=u;Password=a=b!;c=d", "a=b!"),
    ("Server=h;Uid=u;Pwd=a=b&c@d;", "a=b&c@d"),
    ("ftp://u:pw#12/34@ftp.example.org/", "pw#12/34"),
    ("smtp://user%40x.org:pa%3Ass99@mail:587", "pa:ss99"),
    ("http://[::1]:80/?token=abcd1234", "abcd1234"),
    ("postgres://u:s3cret77@[::1]:5432/x", "s3cret77"),
    ("postgresql:///db?host=/var/run&password=s3cret77", "s3cret77"),
    ("snowflake://u:s3cret77@acc/db/sch?warehouse=w", "s3cret77"),
    ("s3://AKIA1:s3cr/et77@bucket", "s3cr/et77"),
    ("sqlserver://sa:s3cret77@h?database=x", "s3cret77"),
    ("ldap://cn=admin,dc=x:pw123456@h", "pw123456"),
    ("https://u:x@y.z@h/", "x@y.z"),
    ("Driver=PostgreSQL;Server=h;Pwd=s3cret77", "s3cret77"),
    ("PGPASSWORD=s3cret77 psql", "s3cret77"),
    ("Server=h;password = s3cret77 ;x=1", "s3cret77"),
    ("oracle://scott:ti/g@er9@db:1521/?service_name=x", "ti/g@er9"),
    ("grpc://h:50051?apiKey=s3cret77", "s3cret77"),
]
HARMLESS = [
    "https://example.org/a:b@c",
    "12:30",
    "https://host:8080/@scope/pkg",
    "https://example.org:8080/path@x",
    "git@github.com:org/repo.git",
    "actions/checkout@v4",
    "mailto:bob.smith@example.org",
    "python:3.12@sha256:0123abcd",
    "ssh://git@github.com/x",
    "/usr/bin:/bin:/opt/a@b/bin",
    "a=b;c=d",
    "Server=db;Database=x;Integrated Security=true",
    "rs=0:di=01;34:ln=01;36",
    "alice@example.org",
    "Alice <alice@example.org>",
    "unix:path=/run/user/0/bus,guid=123abc",
    "https://example.org/?page=2&sort=key",
    "scope/pkg@1.2.3",
    "C:\\Users\\a b",
    "-Xmx1g -Dfile.encoding=utf8",
    "primary_key=id",
    "keyboard=fr",
    "host=h user=u dbname=x",
    "https://x.org/?tokenizer=bert",
    "team/alice@example.org",
    "http://bob@example.org/",
    "10:20:30@x",
    "tokens: 5",
    "max_tokens=4000 temperature=0.2",
    "http://proxy:3128",
    "sqlite:////var/db/x.db",
    "SSH-2.0-OpenSSH",
    "LOGIN=a@b.c;HOME=/root",
    "https://sort_key=abc",
    "x?cookie_name=session1",
    "key_file=/etc/x.pem",
    "Driver={SQL Server};Server=a;Trusted_Connection=yes",
    "public_key=abcdefgh",
    "--token-file /etc/token --jobs 4",
    "Bearer",
    "tokenizer=a passes=10000",
]


def found_in(value: str) -> list[str]:
    """Return the secrets of a value long enough to be masked."""
    return [found for found in secret_values({"SETTING": value}) if len(found) > 3]


@pytest.mark.parametrize(("value", "secret"), HOLDERS)
def test_secrets_inside_of_other_values(value: str, secret: str) -> None:
    """A password is found whatever signs it holds, and however the value is written."""
    assert secret in found_in(value)


@pytest.mark.parametrize("value", HARMLESS)
def test_what_holds_no_secret_yields_none(value: str) -> None:
    """What is masked without need cannot be read in the report."""
    assert found_in(value) == []


@pytest.mark.parametrize(
    "value",
    [
        "/etc/ssl/private/server.key",
        "~/.ssh/id_ed25519",
        r"C:\keys\deploy.pem",
        "./secrets/key.json",
        "/run/secrets/db_password",
    ],
)
def test_where_a_key_lies_is_no_secret(value: str) -> None:
    """People must find the file; base64 may begin with a slash too."""
    assert found_in(value) == []
    assert list(secret_values({"SSH_KEY": value})) == []
    assert list(secret_values({"SSH_KEY": "/abcd+/efgh=="})) == ["/abcd+/efgh=="]


@pytest.mark.parametrize(
    "part",
    [
        *("a=", "@", " ", "@a", "password=", "'", "-a ", "://a:b@c ", "a/", "{", "a.b"),
        *("password={", "-----BEGIN PRIVATE KEY-----", '"password":', "a b "),
    ],
)
def test_a_long_value_is_searched_in_linear_time(part: str) -> None:
    """Nothing that the platform takes for a variable holds up a run."""
    assert isinstance(list(secret_values({"DB": part * (60_000 // len(part))})), list)


def test_own_secrets_are_recognised_by_name_and_value() -> None:
    """Another variable with the same value, or a long enough one inside, is one too."""
    variables = {
        "PASSWORD_MAIL": "hunter2secret",
        "OAUTH_CLIENT_SECRET": "ab",
        "COPY": "hunter2secret",
        "ADDRESS": "smtp://me:hunter2secret@example.org",
        "SHORT": "ab",
        "ALPHABET": "abc",
        "EMPTY": "",
    }
    assert own_values(variables) == {"hunter2secret", "ab"}
    own = own_values(variables)
    others = [
        name for name, value in variables.items() if not holds_own_secret(value, own)
    ]
    assert others == ["ALPHABET", "EMPTY"]
    assert own_values({"PASSWORD_MAIL": ""}) == frozenset()
    assert not holds_own_secret("hunter2", ["hunter2secret"])
    assert holds_own_secret("smtp://me:a%40b%2Fc12345@example.org", ["a@b/c12345"])


def test_passwords_inside_of_other_values() -> None:
    """The password of a URL and of a connection string is a secret, encoded or not."""
    found = secret_values(
        {
            "DATABASE_URL": "postgres://bob:pa%20ss@db.example.org/x",
            "ODBC": "DRIVER={SQL Server};UID=sa;PWD={sa-pass};SERVER=db",
            "HOMEPAGE": "https://example.org/a:b@c",
            "TIME": "12:30",
        },
        {"DB_PASSWORD": "one"},
    )
    assert list(dict.fromkeys(found)) == ["pa%20ss", "pa ss", "sa-pass", "one"]


@pytest.mark.parametrize(
    "about",
    [
        "FILE",
        "PATH",
        "DIR",
        "DIRECTORY",
        "FOLDER",
        "URL",
        "URI",
        "ENDPOINT",
        "HOST",
        "PORT",
        "NAME",
        "USER",
        "ID",
        "TYPE",
        "LENGTH",
        "SIZE",
        "LIMIT",
        "COUNT",
        "DAYS",
        "HOURS",
        "MINUTES",
        "SECONDS",
        "TTL",
        "TIMEOUT",
        "EXPIRY",
        "POLICY",
    ],
)
def test_what_describes_a_secret_is_none(about: str) -> None:
    """Where it is and how long it may be is no secret, at the end of the name."""
    assert not is_secret_name(f"TOKEN_{about}")
    assert not is_secret_name(f"token.{about.lower()}")
    assert is_secret_name(f"{about}_TOKEN")
    assert is_secret_name(f"TOKEN_{about}_X")


@pytest.mark.parametrize(
    "word",
    [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "API_KEY",
        "APIKEY",
        "ACCESS_KEY",
        "ACCESSKEY",
        "PRIVATE_KEY",
        "PRIVATEKEY",
        "CREDENTIAL",
        "CREDENTIALS",
        "MOT_DE_PASSE",
        "MOTDEPASSE",
        "MDP",
    ],
)
def test_every_word_for_a_secret_is_one(word: str) -> None:
    """As a part of the name, and at its very end."""
    assert is_secret_name(word)
    assert is_secret_name(f"x.{word.lower()}-y")
    assert is_secret_name(f"PG{word}2")
    assert not is_secret_name(f"{word}ISH")


@pytest.mark.parametrize("key", ["Password", "PWD", "pwd "])
def test_the_password_of_a_connection_string_is_a_secret(key: str) -> None:
    """Whatever the variable is called."""
    text = f"Server=db;{key}=hunter22;Database=x"
    assert "hunter22" in secret_values({"DATABASE": text})
