"""Which files are a series, and in which order."""

from __future__ import annotations

import random

import pytest

from python_runner.takeover.script_order import Source, may_be_script, order_key, series


pytestmark = pytest.mark.pure

WORK = "print('x')\n"
GUARD = "def main(): ...\nif __name__ == '__main__':\n    main()\n"
MODULE = "import logging\nlogger = logging.getLogger(__name__)\ndef f(): ...\n"


@pytest.mark.parametrize(
    "ordered",
    [
        ["01_a.py", "02_b.py", "10_c.py"],
        ["1_z.py", "2_y.py", "10_a.py"],
        ["extract.py", "transform.py", "load.py"],
        ["import_data.py", "clean_data.py", "train.py", "export.py", "send_report.py"],
        ["extraction.py", "nettoyage.py", "calcul.py", "chargement.py", "rapport.py"],
        ["télécharge.py", "vérifie.py", "traitement.py", "envoi.py"],
        ["step1.py", "step2.py", "step10.py"],
        ["étape_1.py", "étape_2.py"],
        ["1_first.py", "2_second.py", "alpha.py"],
        ["extract.py", "mystery.py", "load.py"],
        ["a2.py", "a10.py"],
        ["fetchSales.py", "loadSales.py", "reportSales.py"],
    ],
)
def test_orders(ordered: list[str]) -> None:
    """Numbers by their value, then words by what they do, then names."""
    mixed = ordered.copy()
    random.Random(7).shuffle(mixed)  # noqa: S311 - any order will do

    assert sorted(mixed, key=order_key) == ordered
    assert series([Source(name, WORK) for name in mixed]) == ordered


def test_a_module_is_no_script() -> None:
    """What others import, or what does nothing when it starts, is left out."""
    files = [
        Source("main.py", "import helpers\nfrom pkg import tools\n" + GUARD),
        Source("helpers.py", WORK),
        Source("config.py", MODULE),
        Source("report.py", WORK),
    ]

    assert series(files) == ["main.py", "report.py"]


@pytest.mark.parametrize(
    "text",
    [
        "for x in range(3):\n    f(x)\n",
        "with open('x') as f:\n    f.read()\n",
        "import pandas as pd\ndf = pd.DataFrame()\ndf.to_csv('x.csv')\n",
        "try:\n    main()\nexcept Exception:\n    raise\n",
        "print 'python 2'\n",
    ],
)
def test_work_at_the_top_makes_a_script(text: str) -> None:
    """Without a guard, too; a file that this Python cannot read may be one."""
    assert series([Source("a.py", text), Source("b.py", MODULE)]) == ["a.py"]


def test_where_nothing_looks_like_a_script_all_are_listed() -> None:
    """People take out more easily than they find what is missing."""
    files = [Source("a.py", ""), Source("b.py", MODULE)]

    assert series(files) == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "name",
    [
        *("setup.py", "conftest.py", "noxfile.py", "__init__.py", "__main__.py"),
        *("test_a.py", "a_test.py", "tests.py", "manage.py", "SETUP.py"),
    ],
)
def test_tools_and_tests_are_no_scripts(name: str) -> None:
    """By their names alone."""
    assert not may_be_script(name)


def test_tests_of_other_things_are_scripts() -> None:
    """A name that only holds the word is one of the owner's."""
    assert may_be_script("latest.py")
    assert may_be_script("contest_results.py")
