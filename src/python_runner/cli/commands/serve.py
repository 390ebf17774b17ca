"""``python-runner serve``: the dashboard, pages in a browser that only read."""

from __future__ import annotations

import os
import signal
import webbrowser
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.lookup import open_records
from python_runner.cli.parameters import at_least
from python_runner.cli.schedule_changes import How, place_of
from python_runner.cli.serve_entry import install, kept_token, uninstall
from python_runner.cli.streams import say
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.computer import host_name
from python_runner.config.settings import load_settings
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_INTERRUPTED, EXIT_SUCCESS, EXIT_TERMINATED
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder
from python_runner.installation import extra_command, shell_word
from python_runner.runner.signals import StopSignals
from python_runner.scheduling.jobs import serve_job
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.model import Settings

HOST, PORT = "127.0.0.1", 8765
TOKEN = "PYTHON_RUNNER_TOKEN"  # noqa: S105 - the name of a variable
_LARGEST_PORT = 65535


@click.command(
    help=_(
        "Show all projects in a browser: their state, runs, outputs, errors and emails,"
        " live. The pages only read. Without PROJECT, those of python-runner.toml, else"
        " all projects. Ends with Ctrl-C."
    )
)
@projects_argument
@click.option(
    "--host",
    default=HOST,
    metavar=_("ADDRESS"),
    show_default=True,
    help=_(
        "Address to listen on; any but this computer's own needs a token, which is"
        " printed as a link that works once, or taken from PYTHON_RUNNER_TOKEN."
    ),
)
@click.option(
    "--port",
    default=PORT,
    type=at_least(0, _LARGEST_PORT),
    show_default=True,
    metavar=_("N"),
    help=_("Port to listen on; 0 takes one that is free."),
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar=_("NAME"),
    help=_("A further name by which browsers may reach it, as that of a proxy."),
)
@click.option("--open", "browser", is_flag=True, help=_("Open it in the browser."))
@click.option(
    "--link",
    is_flag=True,
    help=_("Only print another link that signs a browser in, by PYTHON_RUNNER_TOKEN."),
)
@click.option(
    "--install",
    is_flag=True,
    help=_(
        "Let the system start it at each logon, and again if it fails: systemd or the"
        " Task Scheduler. It may be repeated: only what differs is changed."
    ),
)
@click.option(
    "--remove", "removes", is_flag=True, help=_("Take what --install has made away.")
)
@click.option("--yes", "-y", is_flag=True, help=_("Change it without asking."))
@click.option(
    "--dry-run", is_flag=True, help=_("Show what would change; change nothing.")
)
@env_file_option
def command(
    projects: tuple[Path, ...],
    host: str,
    port: int,
    names: tuple[str, ...],
    *,
    env_file: Path | None,
    **flags: Any,
) -> int:
    """Serve the dashboard until a signal comes, or let the system start it."""
    _require_one_act(flags)
    settings = load_settings(env_file)
    how = How(yes=flags["yes"], dry_run=flags["dry_run"])
    if flags["removes"]:
        return uninstall(settings.home, how)
    _require_extra()
    where = _Where(host=host, port=port, names=names)
    if flags["link"]:
        return _print_link(settings, where)
    if flags["install"]:
        return _install(settings, where, projects, env_file, how)
    return _serve(settings, where, projects, browser=flags["browser"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """Where the dashboard is reached: by which address, port and further names."""

    host: str
    port: int
    names: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The options of the command that say so."""
        words = [] if self.host == HOST else ["--host", self.host]
        words += [] if self.port == PORT else ["--port", str(self.port)]
        return (*words, *(word for name in self.names for word in ("--name", name)))


def _print_link(settings: Settings, where: _Where) -> int:
    from python_runner.web import security  # noqa: PLC0415 - an extra
    from python_runner.web.site import present  # noqa: PLC0415

    token = _token(settings)
    if not token:
        raise PythonRunnerError(_("{name} is not set").format(name=TOKEN))
    ticket = security.new_ticket(token, present())
    address = _address(where.host, where.port)
    say("{address}", address=f"{address}/?{security.TICKET}={ticket}")
    return EXIT_SUCCESS


def _install(
    settings: Settings,
    where: _Where,
    projects: tuple[Path, ...],
    env_file: Path | None,
    how: How,
) -> int:
    """Let the system start the dashboard; return the exit code."""
    from python_runner.web import security, server  # noqa: PLC0415 - an extra

    if where.port == 0:
        raise click.BadParameter(_("name a port"), param_hint="--port")
    token = _token(settings)
    if not token and not server.is_loopback(where.host):
        token = security.new_token()
    folders = tuple(dict.fromkeys(map(absolute, projects)))
    job = serve_job(place_of(env_file), where.options, folders)
    # What the service finds itself is kept nowhere else.
    found = load_settings(env_file, environ={}).environ.get(TOKEN)
    code = install(job, "" if found else token, settings.home, how)
    if code == EXIT_SUCCESS and not how.dry_run:
        say(
            _("The dashboard is at {address}"),
            address=_address(where.host, where.port),
        )
        if token:
            words = ("python-runner", "serve", "--link", *where.options)
            say(
                _("`{command}` prints a link that signs a browser in."),
                command=" ".join(map(shell_word, words)),
            )
    return code


def _serve(
    settings: Settings, where: _Where, projects: tuple[Path, ...], *, browser: bool
) -> int:
    """Serve the dashboard until a signal comes."""
    # Imported here because the web server is an extra, and takes a while.
    from python_runner.web import security, server  # noqa: PLC0415
    from python_runner.web.site import LOOPBACK, Site, present  # noqa: PLC0415

    local, token = server.is_loopback(where.host), _token(settings)
    if not local and not token:
        token = security.new_token()
    workspace = load_workspace(current_folder()) or Workspace()
    with open_records(settings):
        # As with any command: what is damaged is set aside, what is old brought up to date.
        pass
    folders = tuple(dict.fromkeys(map(absolute, projects or workspace.projects)))
    own = () if local else (where.host, host_name())
    site = Site(
        settings=settings,
        projects=folders,
        defaults=workspace.defaults,
        keep_days=workspace.keep_days,
        fleet=workspace.fleet.folder if workspace.fleet else None,
        language=system_language(),
        token=token,
        hosts=LOOPBACK | {name.lower() for name in (*where.names, *own)},
        addresses=not local,
    )
    listener = server.listen(where.host, where.port)
    address = _address(where.host, listener.getsockname()[1])
    if token:
        address += f"/?{security.TICKET}={security.new_ticket(token, present())}"
    serving = server.make_server(site)
    with StopSignals(serving.stop) as signals, listener:
        _tell(address, signed_in=bool(token))
        if browser:
            webbrowser.open_new_tab(address)
        serving.run([listener])
    if signals.received is None:
        return EXIT_SUCCESS
    return EXIT_INTERRUPTED if signals.received is signal.SIGINT else EXIT_TERMINATED


def _require_one_act(flags: Mapping[str, bool]) -> None:
    """Refuse options that do not go together.

    Raises:
        click.UsageError: they do not.
    """
    names = {"install": "--install", "removes": "--remove"}
    acts = names | {"link": "--link", "browser": "--open"}
    asked = [option for name, option in acts.items() if flags[name]]
    if len(asked) > 1 and (flags["install"] or flags["removes"]):
        message = _("{one} and {other} do not go together")
        raise click.UsageError(message.format(one=asked[0], other=asked[1]))
    changes = flags["yes"] or flags["dry_run"]
    if changes and not (flags["install"] or flags["removes"]):
        raise click.UsageError(_("--yes and --dry-run are for --install and --remove"))


def _require_extra() -> None:
    """Say what to install where the web server is missing.

    Raises:
        PythonRunnerError: it is.
    """
    missing = [name for name in ("starlette", "uvicorn") if not find_spec(name)]
    if missing:
        message = _(
            "serve needs the package {package}, which is not installed: {command}"
        )
        raise PythonRunnerError(
            message.format(package=missing[0], command=extra_command("web"))
        )


def _token(settings: Settings) -> str:
    """Return the token that is set; empty where there is none.

    Raises:
        PythonRunnerError: it can be guessed.
    """
    from python_runner.web.security import SHORTEST_TOKEN  # noqa: PLC0415 - an extra

    token = settings.environ.get(TOKEN) or os.environ.get(TOKEN) or ""
    token = token or kept_token(settings.home)
    if token and len(token) < SHORTEST_TOKEN:
        message = _("{name} is too short: it needs at least {least} characters")
        raise PythonRunnerError(message.format(name=TOKEN, least=SHORTEST_TOKEN))
    return token


def _address(host: str, port: int) -> str:
    """Return the address that a browser takes."""
    name = host.strip("[]")
    if name in {"0.0.0.0", "::"}:  # noqa: S104 - where it listens, not where it is asked
        name = host_name()
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _tell(address: str, *, signed_in: bool) -> None:
    say(_("The dashboard is at {address}"), address=address)
    if signed_in:
        say(
            _(
                "The link signs one browser in, within {minutes} minutes."
                " Without TLS others in the network can read along: put a proxy with a"
                " certificate before it where that matters."
            ),
            minutes=15,
        )
    say(_("Ctrl-C ends it."))
