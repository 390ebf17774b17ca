from __future__ import annotations

import pytest
from hypothesis import given

from python_runner.due_times import expression_problem
from python_runner.scheduling.words import in_words
from tests.scheduling.hostile import EXPRESSIONS, expressions


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("expression", "english", "french"),
    [
        ("0 6 * * *", "every day at 06:00", "tous les jours à 06:00"),
        ("0 6 * * 1-5", "working days at 06:00", "les jours ouvrés à 06:00"),
        ("0 6 * * 0,6", "weekends at 06:00", "le week-end à 06:00"),
        ("0 6 * * 6-7", "weekends at 06:00", "le week-end à 06:00"),
        ("30 4 * * 2", "Tuesdays at 04:30", "le mardi à 04:30"),
        (
            "0 6 * * mon,wed,fri",
            "Mondays, Wednesdays and Fridays at 06:00",
            "le lundi, le mercredi et le vendredi à 06:00",
        ),
        ("0 6 * * 1-6", "Monday to Saturday at 06:00", "du lundi au samedi à 06:00"),
        (
            "0 6 1 * *",
            "on the 1st of each month at 06:00",
            "le 1er de chaque mois à 06:00",
        ),
        (
            "0 6 2,13,23 * *",
            "on the 2nd, 13th and 23rd of each month at 06:00",
            "le 2, 13 et 23 de chaque mois à 06:00",
        ),
        (
            "0 6 L * *",
            "on the last day of each month at 06:00",
            "le dernier jour de chaque mois à 06:00",
        ),
        (
            "0 6 LW * *",
            "on the last working day of each month at 06:00",
            "le dernier jour ouvré de chaque mois à 06:00",
        ),
        (
            "0 6 * * 2#2",
            "on the second Tuesday of each month at 06:00",
            "le deuxième mardi de chaque mois à 06:00",
        ),
        (
            "0 6 * * 5L",
            "on the last Friday of each month at 06:00",
            "le dernier vendredi de chaque mois à 06:00",
        ),
        ("0 6 1 1 *", "on the 1st of January at 06:00", "le 1er janvier à 06:00"),
        (
            "0 6 15 3,9 *",
            "on the 15th of the month in March and September at 06:00",
            "le 15 du mois en mars et septembre à 06:00",
        ),
        (
            "0 6 1 * 1",
            "on the 1st of each month and Mondays at 06:00",
            "le 1er de chaque mois et le lundi à 06:00",
        ),
        (
            "0 6,18 * * *",
            "every day at 06:00 and 18:00",
            "tous les jours à 06:00 et 18:00",
        ),
        ("*/15 * * * *", "every 15 minutes", "toutes les 15 minutes"),
        ("0 * * * *", "every hour", "toutes les heures"),
        ("* * * * *", "every minute", "toutes les minutes"),
        ("0 */6 * * *", "every 6 hours", "toutes les 6 heures"),
        (
            "*/15 8-18 * * 1-5",
            "working days, every 15 minutes from 08:00 to 18:45",
            "les jours ouvrés, toutes les 15 minutes de 08:00 à 18:45",
        ),
        ("*/7 * * * *", "*/7 * * * *", "*/7 * * * *"),
        ("0 6 */2 * 1", "0 6 */2 * 1", "0 6 */2 * 1"),
        # What a person has written into a crontab.
        ("0 25 * * *", "0 25 * * *", "0 25 * * *"),
        ("@yesterday", "@yesterday", "@yesterday"),
    ],
)
def test_an_expression_is_said_in_words(
    expression: str, english: str, french: str
) -> None:
    """People read when it is due; what would take a paragraph stays an expression."""
    words = in_words(expression)
    assert words.in_language("en") == english
    assert words.in_language("fr") == french


@given(expressions())
def test_every_expression_is_said_somehow(expression: str) -> None:
    """None of them ends in an error, or in an empty text."""
    if expression_problem(expression) is None:
        for language in ("en", "fr"):
            words = in_words(expression).in_language(language)
            assert words
            assert "{" not in words


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_words_do_not_depend_on_how_it_is_written(expression: str) -> None:
    """Capitals and spaces say nothing."""
    other = "  ".join(expression.upper().split())
    told = {str(in_words(expression)), str(in_words(other))}
    assert len(told) == 1 or told == {expression, other}
