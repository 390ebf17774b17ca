"""Turns the environment and a ``.env`` file into :class:`~python_runner.model.Settings`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.config.addresses import is_sender
from python_runner.config.env_file import EnvFile, read_env
from python_runner.config.oauth import (
    DEFAULT_AUTHORITY,
    cloud_of,
    oauth_problems,
    tenant_of,
)
from python_runner.config.providers import is_microsoft, provider_of
from python_runner.config.reading import is_there, why_no_file
from python_runner.exceptions import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingEnvironmentVariable,
    Problem,
)
from python_runner.files import (
    current_folder,
    exists,
    expanded,
    is_file,
    is_folder,
    why_unseen,
)
from python_runner.masking import Masker
from python_runner.model import TOKEN_TRANSPORTS, MailSettings, Settings
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import translated


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from python_runner.model import Provider

TRANSPORTS = ("smtp", "smtp-oauth2", "graph", "file", "eventlog")
SECURITIES = ("starttls", "tls", "none")
_HIGHEST_PORT = 65535
#: A name, or an address in brackets: one word on the line of a command.
_GREETING = lazy_pattern(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}|\[[A-Za-z0-9.:]{1,64}\]")
#: Labels of letters of any script, of the length that a resolver takes.
_HOST = lazy_pattern(r"(?!.{254})(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?")
ENV_FILE = ".env"


def load_settings(
    env_file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the environment.

    A mail variable that is wrong is no error here, but one of ``mail.problems``: it stops
    only what mails.

    Args:
        env_file: file with further variables; default: the first that exists of those
            of :func:`env_file_places`.
        environ: default ``os.environ``; its variables win over those of the file.
        folder: default: the current directory.

    Raises:
        ConfigurationNotFound: ``env_file`` does not exist.
        InvalidConfiguration: the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    if env_file is None:
        looked_in = env_file_places(folder or current_folder())
        env_file = next(filter(is_there, looked_in), None)
    else:
        _require_file(env_file)
        looked_in = (env_file,)
    found = read_env(env_file, environ) if env_file else EnvFile()
    variables = {**found.variables, **environ}
    return Settings(
        home=state_folder(variables),
        mail=replace(mail_settings(variables), looked_in=looked_in),
        environ=variables,
        env_file=env_file,
        env_names=frozenset(found.variables),
        warnings=found.warnings,
    )


def mail_settings(variables: Mapping[str, str]) -> MailSettings:
    """Return what variables mean for mail; those that are wrong are among its problems."""
    problems = tuple(_mail_problems(variables))
    wrong = {problem.key for problem in problems}
    right = {name: value for name, value in variables.items() if name not in wrong}
    return replace(_mail_settings(right), problems=problems)


def _require_file(env_file: Path) -> None:
    if reason := why_unseen(env_file):
        message = _("{file} cannot be looked at: {reason}")
        raise ConfigurationNotFound(
            message.format(file=env_file, reason=translated(reason))
        )
    if not is_file(env_file):
        raise ConfigurationNotFound(why_no_file(env_file))


def env_file_places(folder: Path) -> tuple[Path, ...]:
    """Return where a ``.env`` file is looked for: the first that exists is read.

    That is ``folder``, then the one of the virtual environment that Python Runner runs
    in, beside which the original found it. Folders above are never searched.
    """
    places = [folder / ENV_FILE]
    if sys.prefix != sys.base_prefix:
        places.append(Path(sys.prefix).parent / ENV_FILE)
    return tuple(dict.fromkeys(places))


def _mail_problems(variables: Mapping[str, str]) -> Iterator[Problem]:
    # A value that went into the wrong line of the file is quoted as well.
    if problems := list(_problems(variables)):
        mask, where = Masker(secret_values(variables)).text, _("environment")
        for name, message in problems:
            yield Problem(where, name, mask(message))


def state_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder of records, outbox and locks."""
    if home := variables.get("PYTHON_RUNNER_HOME"):
        return expanded(home)
    import platformdirs  # noqa: PLC0415 - the variable spares it

    try:
        return platformdirs.user_state_path("python-runner", appauthor=False)
    except RuntimeError:
        # An account of its own for a service may have no home. Scripts run all the same,
        # and it is told where no records can be kept.
        return Path(os.sep, ".local", "state", "python-runner")


def _mail_settings(variables: Mapping[str, str]) -> MailSettings:
    def text(name: str) -> str | None:
        return variables.get(name) or None

    def path(name: str) -> Path | None:
        value = text(name)
        return expanded(value) if value else None

    login = text("LOGIN_MAIL")
    authority = (text("OAUTH_AUTHORITY") or DEFAULT_AUTHORITY).rstrip("/")
    cloud = cloud_of(authority)
    provider = None if text("SMTP_HOST") else provider_of(login, text("MAIL_FROM"))
    first, *others = transports(variables.get("MAIL_TRANSPORT") or "smtp")
    secret, certificate = text("OAUTH_CLIENT_SECRET"), path("OAUTH_CLIENT_CERTIFICATE")
    tenant = text("OAUTH_TENANT_ID")
    if not (tenant or secret or certificate):
        # Who signs in as a user need not know the organisation's id.
        tenant = tenant_of(login or "")
    mail = MailSettings(
        transport=first,
        login=login,
        password=text("PASSWORD_MAIL"),
        sender=text("MAIL_FROM") or login,
        smtp_host=variables.get("SMTP_HOST") or "smtp.office365.com",
        smtp_port=int(variables.get("SMTP_PORT") or 587),
        smtp_security=variables.get("SMTP_SECURITY") or "starttls",
        smtp_ca_file=path("SMTP_CA_FILE"),
        smtp_helo=text("SMTP_HELO"),
        oauth_tenant=tenant,
        oauth_client=text("OAUTH_CLIENT_ID"),
        oauth_secret=secret,
        oauth_certificate=certificate,
        oauth_authority=authority,
        outlook_url=cloud.outlook,
        smtp_scope=f"{cloud.delegated}/SMTP.Send",
        graph_url=(text("GRAPH_URL") or cloud.graph).rstrip("/"),
        mail_dir=path("MAIL_DIR"),
        sign_in_folder=state_folder(variables) / "sign-in",
    )
    ways = [
        _with_provider(replace(mail, transport=name), provider, variables)
        for name in (first, *others)
    ]
    return replace(ways[0], others=tuple(ways[1:]))


def transports(text: str) -> list[str]:
    """Return the entries of ``MAIL_TRANSPORT``; an empty one where there is nothing."""
    return [entry.strip() for entry in text.split(",")]


def _with_provider(
    mail: MailSettings, provider: Provider | None, variables: Mapping[str, str]
) -> MailSettings:
    """Return one way with the server that the address of the mailbox chooses.

    Tokens are Microsoft's, and no other provider takes them.
    """
    if (
        provider is None
        or mail.transport not in {"smtp", "smtp-oauth2"}
        or (mail.transport == "smtp-oauth2" and not is_microsoft(provider))
    ):
        return mail
    return replace(
        mail,
        smtp_host=provider.host,
        smtp_port=int(variables.get("SMTP_PORT") or provider.port),
        smtp_security=variables.get("SMTP_SECURITY") or provider.security,
        provider=provider,
    )


def _problems(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each variable that is wrong, and what is wrong with it."""
    yield from _transport_problems(variables.get("MAIL_TRANSPORT") or "smtp")
    if (found := variables.get("SMTP_SECURITY") or "starttls") not in SECURITIES:
        message = _("expected one of {known}, found {found}")
        yield (
            "SMTP_SECURITY",
            message.format(known=", ".join(SECURITIES), found=found),
        )
    host = variables.get("SMTP_HOST") or ""
    if host and not _is_host(host):
        message = _("expected the name of a server and nothing else, found {found}")
        yield "SMTP_HOST", message.format(found=repr(host))
    port = variables.get("SMTP_PORT") or "587"
    if not (_is_number(port) and 0 < int(port) <= _HIGHEST_PORT):
        yield "SMTP_PORT", _("expected a port number, found {found}").format(found=port)
    # The name by which one logs in is an address only where it is the sender as well.
    sender = "MAIL_FROM" if variables.get("MAIL_FROM") else "LOGIN_MAIL"
    if (address := variables.get(sender)) and not is_sender(address):
        yield (
            sender,
            _("{address} is not an email address").format(address=repr(address)),
        )
    if (helo := variables.get("SMTP_HELO")) and not _GREETING.fullmatch(helo):
        message = _("expected the name of this computer, found {found}")
        yield "SMTP_HELO", message.format(found=repr(helo))
    ca_file = variables.get("SMTP_CA_FILE")
    if ca_file and not is_file(expanded(ca_file)):
        yield "SMTP_CA_FILE", why_no_file(expanded(ca_file))
    folder = variables.get("MAIL_DIR")
    if folder and exists(expanded(folder)) and not is_folder(expanded(folder)):
        yield "MAIL_DIR", _("{path} is not a folder").format(path=folder)
    yield from oauth_problems(variables)


def _transport_problems(text: str) -> Iterator[tuple[str, str]]:
    ways, known = transports(text), ", ".join(TRANSPORTS)
    for found in dict.fromkeys(ways):
        if found not in TRANSPORTS:
            message = _("expected one of {known}, found {found}")
            if len(ways) > 1:
                message = _("expected some of {known}, with commas, found {found}")
            shown = found or _("an empty entry")
            yield "MAIL_TRANSPORT", message.format(known=known, found=shown)
        elif ways.count(found) > 1:
            message = _("{found} is named more than once; known are {known}")
            yield "MAIL_TRANSPORT", message.format(found=found, known=known)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT))


def _is_host(text: str) -> bool:
    """Say whether a text is the name or the address of a server, and nothing else."""
    with suppress(ValueError):
        return bool(ip_address(text))
    return bool(_HOST.fullmatch(text))


def require_mail(mail: MailSettings, *, for_run: bool = True) -> None:
    """Make sure that a mail could leave; a run (``for_run``) could do without.

    A server that wants no password (an office relay) is chosen by naming the sender
    with ``MAIL_FROM`` and no ``LOGIN_MAIL``.

    Raises:
        InvalidConfiguration: variables are wrong; every one is listed.
        MissingEnvironmentVariable: the transport lacks variables; all are named, and the
            files in which they could have been.
    """
    if mail.problems:
        raise InvalidConfiguration(mail.problems)
    if missing := _missing(mail):
        sentence = _(
            "no email can be sent: set {names} in the environment or a .env file"
        )
        if for_run:
            sentence = _(
                "an email may have to be sent, but these variables are not set:"
                " {names}; set them in the environment or a .env file, or set"
                ' "email_strategy" to "none"'
            )
        message = sentence.format(names=", ".join(missing))
        if places := _places(mail.looked_in):
            message = _("{problem} ({places})").format(problem=message, places=places)
        raise MissingEnvironmentVariable(message)


def _places(looked_in: Sequence[Path]) -> str:
    """Return which files were looked in: absent ones, and the first that is there."""
    told = []
    for path in looked_in:
        if is_file(path):
            told.append(_("{file} does not set them").format(file=path))
            break
        told.append(why_no_file(path))
    return ", ".join(told)


def can_mail(mail: MailSettings) -> bool:
    """Say whether a mail could leave: no variable is wrong, and none is missing."""
    return not mail.problems and not _missing(mail)


def _missing(mail: MailSettings) -> list[str]:
    """Return the variables that its ways lack, each once."""
    names = (name for way in mail.ways for name in missing_variables(way))
    return list(dict.fromkeys(names))


def missing_variables(way: MailSettings) -> list[str]:
    """Return the variables that one way lacks."""
    needed: dict[str, object]
    if way.transport == "eventlog":
        needed = {}
    elif way.transport == "file":
        needed = {"MAIL_DIR": way.mail_dir}
    elif way.transport in TOKEN_TRANSPORTS:
        needed = {
            "LOGIN_MAIL": way.login,
            "OAUTH_TENANT_ID": way.oauth_tenant,
            "OAUTH_CLIENT_ID": way.oauth_client,
        }
    else:
        needed = {"LOGIN_MAIL": way.sender}
        if way.login or not way.sender:
            needed["PASSWORD_MAIL"] = way.password
    return [name for name, value in needed.items() if not value]


def sender_address(mail: MailSettings) -> str:
    """Return the address mails come from; a file drop needs no mailbox."""
    return mail.sender or f"python-runner@{host_name()}"
