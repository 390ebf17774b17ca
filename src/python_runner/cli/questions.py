"""Asks people at a terminal; where there is none, nobody is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from python_runner.cli.streams import say, stderr
from python_runner.cli.wording import labelled
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    _T = TypeVar("_T")


def has_terminal() -> bool:
    """Say whether questions can be asked and answered."""
    return sys.stdin is not None and sys.stdin.isatty() and stderr().isatty()


def ask(question: str, check: Callable[[str], _T], default: str) -> _T:
    """Ask until the answer can be used; Enter gives the default.

    Args:
        question: with its question mark, and what Enter means.
        check: returns the value of an answer, or raises ``click.UsageError``.
        default: what Enter stands for; not shown.
    """
    answer: _T = click.prompt(
        question,
        default=default,
        show_default=False,
        value_proc=check,
        prompt_suffix=" ",
        err=True,
    )
    return answer


def choose(question: str, choices: Sequence[str], default: int = 1) -> int:
    """Ask for one of several answers by its number; return the number, from 1."""
    say("{question}", question=question, err=True)
    for place, words in enumerate(choices, 1):
        say("  {number}  {words}", number=place, words=words, err=True)
    among = click.IntRange(1, len(choices))
    number: int = click.prompt(
        _("Number"),
        type=among,
        default=default,
        prompt_suffix=labelled("", ""),
        err=True,
    )
    return number
