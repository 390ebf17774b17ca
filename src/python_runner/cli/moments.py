"""Moments that people name on the command line."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from python_runner.config.units import Duration
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")


def since_option(help_text: str) -> Callable[[_F], _F]:
    """Return what adds ``--since`` to a command, with its help."""
    return click.option("--since", metavar=_("TIME"), callback=_since, help=help_text)


def _since(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    return None if value is None else parse_since(value, datetime.now().astimezone())


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that ``7d``, ``12h`` or ``2026-11-24`` (local) stands for.

    Raises:
        click.BadParameter: it stands for none.
    """
    try:
        return _moment(text, now)
    # Overflows are what a number of centuries leads to, differently on each platform.
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            _("expected a duration such as 7d or 12h, or a date such as 2026-11-24")
        ) from None


def _moment(text: str, now: datetime) -> datetime:
    with suppress(ValueError):
        return datetime.strptime(text, "%Y-%m-%d").astimezone()
    if text[-1:].isdigit():
        # A configuration takes it for seconds; whoever writes 7 here means days.
        raise ValueError(text)
    return now - timedelta(seconds=Duration.parse(text))
