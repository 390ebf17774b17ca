"""Rules about servers: the network, proxies, certificates, logins and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints.rule import OS_ERRORS, Rule, Seen, named
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    #: The values of a sentence; None where the rule does not hold after all.
    Found = Mapping[str, object] | None

#: The exceptions of libraries that open connections, and of urllib.
_CLIENTS = (
    "urllib.error.URLError",
    "requests.exceptions.ConnectionError",
    "requests.exceptions.ConnectTimeout",
    "requests.exceptions.ReadTimeout",
    "requests.exceptions.ProxyError",
    "requests.exceptions.SSLError",
    "urllib3.exceptions.MaxRetryError",
    "urllib3.exceptions.NewConnectionError",
    "urllib3.exceptions.NameResolutionError",
    "urllib3.exceptions.ConnectTimeoutError",
    "urllib3.exceptions.ReadTimeoutError",
    "urllib3.exceptions.ProtocolError",
    "urllib3.exceptions.ProxyError",
    "urllib3.exceptions.SSLError",
    "httpx.ConnectError",
    "httpx.ConnectTimeout",
    "httpx.ReadTimeout",
    "httpcore.ConnectError",
    "*.ClientConnectorError",
    "*.ClientConnectorDNSError",
    "*.ClientConnectorCertificateError",
    "psycopg2.OperationalError",
    "psycopg.OperationalError",
    "pymysql.err.OperationalError",
)
_OWN = (
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "ConnectionAbortedError",
    "TimeoutError",
    "socket.timeout",
    "socket.gaierror",
    "ssl.SSLError",
    "ssl.SSLCertVerificationError",
    "http.client.RemoteDisconnected",
)
_ALL = (*OS_ERRORS, *_OWN, *_CLIENTS)
_HTTP = (
    "urllib.error.HTTPError",
    "requests.exceptions.HTTPError",
    "httpx.HTTPStatusError",
)


def _status(*codes: str) -> str:
    """Return the form in which urllib, requests and httpx tell an HTTP status."""
    code = "|".join(codes)
    return (
        rf"HTTP Error (?:{code}): |(?:{code}) (?:Client|Server) Error: "
        rf"|(?:Client|Server) error '(?:{code}) "
    )


def _account(seen: Seen) -> Found:
    return {"account": seen.around.account}


RULES = (
    Rule(
        name="proxy-login",
        kinds=_ALL,
        message=lazy_pattern(
            r".*(?:Tunnel connection failed: 407|407 Proxy Authentication Required)"
        ),
        words=N_(
            "the proxy wants a login: put name and password into HTTPS_PROXY and HTTP_PROXY"
            " under `env_file`, or ask for an exception for this server (NO_PROXY)"
        ),
    ),
    Rule(
        name="proxy-login-answer",
        kinds=_HTTP,
        message=lazy_pattern(_status("407")),
        words=N_(
            "the proxy wants a login: put name and password into HTTPS_PROXY and HTTP_PROXY"
            " under `env_file`, or ask for an exception for this server (NO_PROXY)"
        ),
    ),
    Rule(
        name="proxy",
        kinds=("requests.exceptions.ProxyError", "*.ProxyError"),
        message=lazy_pattern(r".*(?:[Cc]annot|Unable to) connect to proxy"),
        words=N_(
            "the proxy could not be reached: look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY in"
            " the session of the task, and set them under `env`"
        ),
    ),
    Rule(
        name="certificate-expired",
        kinds=_ALL,
        message=lazy_pattern(
            r".*CERTIFICATE_VERIFY_FAILED.*certificate (?:has expired|is not yet valid)"
        ),
        words=N_(
            "the certificate of the server has expired, or the clock of this computer is"
            " wrong: look at its date, else tell its administrator"
        ),
    ),
    Rule(
        name="certificate-name",
        kinds=_ALL,
        message=lazy_pattern(
            r".*CERTIFICATE_VERIFY_FAILED.*(?:Hostname|IP address) mismatch"
        ),
        words=N_(
            "the certificate is for another name than the script asks for: write the address"
            " with the name that the certificate has"
        ),
    ),
    Rule(
        name="certificate",
        kinds=_ALL,
        message=lazy_pattern(
            r".*CERTIFICATE_VERIFY_FAILED.*(?:unable to get (?:local )?issuer"
            r"|self[- ]signed certificate)"
        ),
        words=N_(
            "Python does not know who issued the certificate, often the company itself: ask"
            " for its CA file and name it in SSL_CERT_FILE, and REQUESTS_CA_BUNDLE for"
            " requests, under `env`"
        ),
    ),
    Rule(
        name="no-tls",
        kinds=_ALL,
        message=lazy_pattern(
            r".*\[SSL: (?:WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE)\]"
        ),
        words=N_(
            "the server does not speak TLS on this port: use the port for TLS, or http in"
            " place of https (for SMTP: starttls)"
        ),
    ),
    Rule(
        name="refused",
        kinds=_ALL,
        message=lazy_pattern(
            r"(?:.*\[Errno (?:61|111)\] (?:Connection refused|Connect call failed)"
            r"|.*\[WinError 10061\]|.*Connection refused\b"
            r"|Cannot connect to host .* \[Connect call failed "
            r"|All connection attempts failed$)"
        ),
        words=N_(
            "nothing accepts connections at that address and port: the server is stopped,"
            " the address or the port is wrong, or a firewall refuses"
        ),
    ),
    Rule(
        name="unknown-name",
        kinds=_ALL,
        message=lazy_pattern(
            r".*(?:getaddrinfo failed|Name or service not known"
            r"|nodename nor servname provided|Temporary failure in name resolution"
            r"|No address associated with hostname|NameResolutionError)"
        ),
        words=N_(
            "the name of the server was not found: it is misspelt, or the network, the VPN"
            " or the name service was away; `retries` help where that passes"
        ),
    ),
    Rule(
        name="no-answer",
        kinds=_ALL,
        message=lazy_pattern(
            r"(?:timed out$|The (?:read|write|handshake|connect) operation timed out$"
            r"|_ssl\.c:\d+: The handshake operation timed out"
            r"|<urlopen error (?:timed out|\[Errno (?:60|110)\] .*|\[WinError 10060\] .*)>$"
            r"|\[Errno (?:60|110)\] |\[WinError 10060\] "
            r"|.*(?:ConnectTimeoutError|ReadTimeoutError)\(|.*Read timed out\.)"
        ),
        words=N_(
            "the server did not answer in time: it is busy or away, or a firewall drops the"
            " connection; `retries` help where that passes"
        ),
    ),
    Rule(
        name="closed",
        kinds=_ALL,
        message=lazy_pattern(
            r"(?:\[Errno (?:54|104)\] |\[WinError (?:10053|10054)\] "
            r"|Remote end closed connection without response$"
            r"|\('Connection aborted\.', )"
        ),
        words=N_(
            "the server closed the connection; that often passes: set `retries`, else look"
            " at the server or at what stands between (proxy, VPN)"
        ),
    ),
    Rule(
        name="unreachable",
        kinds=_ALL,
        message=lazy_pattern(
            r"(?:.*\[Errno (?:101|113|51|65)\] (?:Network is unreachable|No route to host)"
            r"|.*\[WinError (?:10051|10065)\])"
        ),
        words=N_(
            "there is no way to the server from this computer: look at the network and the"
            " VPN; `retries` help where that passes"
        ),
    ),
    Rule(
        name="http-401",
        kinds=_HTTP,
        message=lazy_pattern(_status("401")),
        words=N_(
            "the server does not accept the login: the password or token is missing, wrong"
            " or has expired"
        ),
    ),
    Rule(
        name="http-403",
        kinds=_HTTP,
        message=lazy_pattern(_status("403")),
        words=N_(
            "the server forbids that: the account or token lacks the right, or the server"
            " does not accept programs or this network"
        ),
    ),
    Rule(
        name="http-404",
        kinds=_HTTP,
        message=lazy_pattern(_status("404", "410")),
        words=N_(
            "the server has nothing at that address (any more): correct the address"
        ),
    ),
    Rule(
        name="http-429",
        kinds=_HTTP,
        message=lazy_pattern(_status("429")),
        words=N_(
            "the server allows fewer requests: wait between them, as long as its header"
            " `Retry-After` says"
        ),
    ),
    Rule(
        name="http-5xx",
        kinds=_HTTP,
        message=lazy_pattern(_status("500", "502", "503", "504")),
        words=N_(
            "the server has a problem of its own: try again later (`retries`), else tell its"
            " administrator"
        ),
    ),
    Rule(
        name="smtp-microsoft",
        kinds=("smtplib.SMTPAuthenticationError",),
        message=lazy_pattern(
            r"\(535, b['\"]5\.7\.139 |.*SmtpClientAuthentication is disabled"
        ),
        words=N_(
            "Microsoft does not accept passwords from programs for this mailbox: sign in with"
            " OAuth, or let the administrator allow authenticated SMTP for it"
        ),
    ),
    Rule(
        name="smtp-app-password",
        kinds=("smtplib.SMTPAuthenticationError",),
        message=lazy_pattern(r"\(53[45], b['\"]5\.7\.(?:8 Username|9 Application)"),
        words=N_(
            "Google wants a password that is made for this program (app password), not that"
            " of the account"
        ),
    ),
    Rule(
        name="smtp-login",
        kinds=("smtplib.SMTPAuthenticationError",),
        message=lazy_pattern(r"\(5\d\d, b"),
        words=N_(
            "the mail server does not accept this name and password: check both, and whether"
            " programs may use the mailbox"
        ),
    ),
    Rule(
        name="smtp-no-login",
        kinds=("smtplib.SMTPNotSupportedError",),
        message=lazy_pattern(r"SMTP AUTH extension not supported by server\.$"),
        words=N_(
            "the mail server offers no login like this: call starttls() before login(), use"
            " another port, or leave the login out (a relay of the office)"
        ),
    ),
    Rule(
        name="ftp-login",
        kinds=("ftplib.error_perm",),
        message=lazy_pattern(r"530 "),
        words=N_(
            "the FTP server does not accept this name and password, or wants an encrypted"
            " connection (FTP_TLS)"
        ),
    ),
    Rule(
        name="ssh-login",
        kinds=("paramiko.ssh_exception.AuthenticationException",),
        message=lazy_pattern(r"Authentication failed\.$"),
        words=N_(
            "the SSH server does not accept this name with this password or key: check which"
            " key the account {account} has"
        ),
        values=_account,
    ),
    Rule(
        name="odbc-driver",
        kinds=("pyodbc.InterfaceError", "pyodbc.Error", "pyodbc.OperationalError"),
        message=lazy_pattern(
            r"\('(?:IM002|IM003|IM014|01000)', .*(?:\[IM002\]|\[IM003\]|\[IM014\]"
            r"|Can't open lib )"
        ),
        words=N_(
            "this computer has no ODBC driver or data source of that name, or not for the bits"
            " of this Python: install it, and write its name as pyodbc.drivers() does"
        ),
    ),
    Rule(
        name="odbc-login",
        kinds=("pyodbc.InterfaceError", "pyodbc.ProgrammingError", "pyodbc.Error"),
        message=lazy_pattern(r"\('28000', .*\(1845[0-9]\)"),
        words=N_(
            "SQL Server does not accept the login. With Trusted_Connection it is the account"
            " of the task, {account}; else check name and password"
        ),
        values=_account,
    ),
    Rule(
        name="odbc-certificate",
        kinds=("pyodbc.OperationalError", "pyodbc.Error"),
        message=lazy_pattern(
            r"\('(?:08001|HYT00|08S01)', .*(?:-2146893019|certificate verify failed)"
        ),
        words=N_(
            "the ODBC driver does not trust the certificate of the database server: install"
            " the certificate of who issued it on this computer; in a network of your own,"
            " TrustServerCertificate=yes leaves the check out"
        ),
    ),
    Rule(
        name="odbc-unreachable",
        kinds=("pyodbc.OperationalError", "pyodbc.Error"),
        message=lazy_pattern(r"\('(?:08001|HYT00|08S01)', "),
        words=N_(
            "the database server was not reached: check its name and port, the network and"
            " the VPN; `retries` help where that passes"
        ),
    ),
    Rule(
        name="postgresql-login",
        kinds=("psycopg2.OperationalError", "psycopg.OperationalError"),
        message=lazy_pattern(
            r".*FATAL:\s+(?:password authentication failed for user|role )\s*\"(?P<user>\w+)\""
        ),
        words=N_(
            "PostgreSQL does not accept the user {user} with this password: check both"
        ),
        values=named,
    ),
    Rule(
        name="mysql-login",
        kinds=(
            "pymysql.err.OperationalError",
            "*.ProgrammingError",
            "MySQLdb.OperationalError",
        ),
        message=lazy_pattern(r"\(?1045[, (].*Access denied for user '(?P<user>[^']*)'"),
        words=N_(
            "MySQL does not accept the user {user} with this password from this computer:"
            " check all three"
        ),
        values=named,
    ),
)
