"""Nothing that a script, a name or a configuration says passes for something else."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import compat32, default
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from python_runner import BadRecipientList, InvalidConfiguration, Runner
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import EmailStrategy, Outcome, Traceback
from python_runner.report.compose import compose
from python_runner.report.context import ReportContext
from python_runner.report.render import Report, render
from python_runner.texts.sentence import Sentence
from tests.support import NOW, MakeProject


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import Message

#: What has forged headers, pages, lines and terminals before.
TRICKS = (
    "\r\nBcc: eve@example.com",
    "\nBcc: eve@example.com\n\n<b>",
    "\rBcc: eve@example.com",
    "\u2028Bcc: eve@example.com",
    "\x85Bcc: eve@example.com",
    "\x00\x0b\x0c\x1c",
    "=?utf-8?q?=0D=0ABcc:_eve@example.com?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?=",
    "=?utf-8?q?seems_fine?=",
    "</pre></td></table><script>alert(1)</script>",
    '" onload="alert(1)" x="',
    "' style='background:url(http://eve.example.com)'",
    "<img src=http://eve.example.com/x.png>",
    "<a href='javascript:alert(1)'>here</a>",
    "<!-- ]]> &lt; &#60; &amp;",
    "<style>*{display:none}</style>",
    "{{ 7*7 }}{% raw %}",
    "\x1b[2J\x1b[31m",
    "\x1b]8;;http://eve.example.com\x07link\x1b]8;;\x07",
    "\x1b]0;title\x1b\\",
    "\u202egnp.exe\u2066",
    "\ud800 \udcff",
)
tricks = st.lists(
    st.sampled_from(TRICKS) | st.text(max_size=20), min_size=1, max_size=4
).map("".join)
MANY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
}


class _Skeleton(HTMLParser):
    """The elements of a page with their attributes: everything but its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[object] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Text of several lines has as many breaks.
        if tag != "br":
            self.parts.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.parts.append(data)

    def handle_decl(self, decl: str) -> None:
        self.parts.append(decl)

    def handle_pi(self, data: str) -> None:
        self.parts.append(data)

    def unknown_decl(self, data: str) -> None:
        self.parts.append(data)


def hostile_report(make_result: Any, make_run: Any, text: str) -> Report:
    """Return the report of a run in which every word is ``text``."""
    # Something in front, or a word that is left out would change the page.
    text = f"x{text}"
    sentence = Sentence.of("{x}", x=text)
    traceback = Traceback(text=text, exception=text, file=text, line=1, function=text)
    run = make_run(
        make_result(
            text,
            Outcome.FAILURE,
            attempts=2,
            traceback=traceback,
            reason=sentence,
            warnings=(sentence,),
            output=Path(text.replace("\0", "")),
        ),
        make_result(text, Outcome.SKIPPED, number=2, reason=sentence),
        project=text,
        warnings=(sentence,),
        error=sentence,
    )
    context = ReportContext(
        strategy=EmailStrategy.ALL,
        language="fr",
        tails={text: f"output {text}"},
        host=text,
        log=Path(text.replace("\0", "")),
    )
    return render(run, context)


def mailed(report: Report) -> Message:
    """Return the mail of a report."""
    return compose(
        report,
        run_id="39be3d37aed64",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        date=NOW,
    )


@pytest.mark.fault(
    "files",
    "Output holds markup",
    "The page shows it as text.",
)
@MANY
@given(tricks)
@example("".join(TRICKS))
def test_a_page_has_no_element_but_the_templates(
    make_result: Any, make_run: Any, trick: str
) -> None:
    """Whatever is told, the page's elements, attributes and comments stay the same."""
    plain = hostile_report(make_result, make_run, "")
    report = hostile_report(make_result, make_run, trick)
    assert report.html
    assert _Skeleton(report.html).parts == _Skeleton(plain.html).parts


@pytest.mark.fault(
    "files",
    "A name or an error holds line breaks and headers",
    "The mail has no header and no addressee but ours.",
)
@pytest.mark.parametrize("policy", [default, compat32], ids=["default", "compat32"])
@MANY
@given(trick=tricks)
@example(trick="".join(TRICKS))
@example(trick=TRICKS[6])
@example(trick=TRICKS[7])
@example(trick=TRICKS[8])
def test_a_mail_has_no_header_but_ours(
    make_result: Any, make_run: Any, trick: str, policy: Any
) -> None:
    """Names and errors cannot add a header, an addressee or a line to a subject."""
    report = hostile_report(make_result, make_run, trick)
    message = mailed(report)
    assert b"\r" not in message.content.replace(b"\r\n", b"")
    mail = message_from_bytes(message.content, policy=policy)
    assert set(mail.keys()) == HEADERS
    assert mail["To"] == "ann@example.com"
    assert len(str(mail["Subject"]).replace("\r\n ", "").splitlines()) == 1
    for line in message.subject, report.text:
        assert not set(line) & set("\r\0\x1b\x07\x85\u2028\u202e\u2066\ud800")


@pytest.mark.parametrize("trick", TRICKS)
def test_a_subject_says_literally_what_happened(
    make_result: Any, make_run: Any, trick: str
) -> None:
    """What looks encoded is not decoded: its reader sees the characters of the error."""
    report = hostile_report(make_result, make_run, trick)
    message = mailed(report)
    mail = message_from_bytes(message.content, policy=default)
    assert mail["Subject"] == message.subject
    assert message.subject == report.subject


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?=0D=0ABcc=3A_eve=40example.com?=@example.com",
        "=?utf-8?q?=0D=0ABcc:_eve@example.com?= <ann@example.com>",
        "x =?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?= <ann@example.com>",
    ],
)
@pytest.mark.parametrize("key", ["sender", "recipients"])
def test_no_encoded_word_of_an_address_is_decoded(key: str, address: str) -> None:
    """An address cannot hide a header in what the email library would decode."""
    values: dict[str, Any] = {"sender": "r@b.fr", "recipients": ("ann@example.com",)}
    values[key] = address if key == "sender" else (address,)
    message = compose(Report("s", "t\n", ""), run_id="1", date=NOW, **values)
    mail = message_from_bytes(message.content, policy=default)
    assert set(mail.keys()) <= {*HEADERS, "Content-Transfer-Encoding"}
    assert len(mail["From"].addresses) == 1


#: Entries that are no single address which every server takes.
NO_ADDRESSES = (
    "",
    " ",
    "nobody",
    "a@b; c@d",
    "a@b, c@d",
    "a@b c@d",
    "Name <a@b> <c@d>",
    "<a@b",
    "a@b>",
    "<<a@b>>",
    "a@b, Name <c@d>",
    "Name <a@b>, c@d",
    '"Name <a@b>',
    "Name\n<a@b>",
    "Na\u202eme <a@b>",
    "a@b\r\nBcc: x@y",
    "a@b\n",
    "a@b\r",
    "a@b\x00",
    "a@b\u2028",
    "a@b\u202e",
    "a@b\u200b",
    "a@b\ud800",
    "\ufeffa@b",
    '"a b"@example.org',
    '"a@b; c@d"',
    "a@b@c",
    "@example.org",
    "a@",
    "a@.org",
    "a@b..org",
    "a@b.org.",
    "a@[127.0.0.1]",
    "a(comment)@b.org",
    "élodie@example.org",
    "a@b\uff1bc.org",
    "a@b\uff0cc.org",
    "a\\@b.org",
    "=?utf-8?q?a=40b?=",
    "=?utf-8?q?=0D=0ABcc=3A_x=40y?=@example.org",
    "mailto:a@b.org",
    "a..b@example.org",
    ".a@example.org",
    "a.@example.org",
    "a..b.@x",
    f"{'a' * 65}@example.org",
    f"a@{'b' * 64}.org",
    f"a@{'b.' * 126}org",
    "a@-b.org",
    "a@b-.org",
)
ADDRESSES = (
    "a@b",
    "ann@example.org",
    "first.last+tag@sub.example.org",
    "o'brien@example.org",
    "a=b@example.org",
    "robot@bücher.example",
    "robot@xn--bcher-kva.example",
    f"{'a' * 64}@example.org",
    " ann@example.org\t",
    "<a@b>",
    "Name <a@b>",
    "  Eve Doe<eve@example.org> ",
    "Dupont, Jean <a@b>",
    '"Dupont, Jean" <a@b>',
    '"a <b> \\" c" <a@b>',
)


def test_what_is_no_address_is_refused_with_its_place(
    make_project: MakeProject,
) -> None:
    """All wrong recipients are told at once, each with file and key; none is dropped."""
    entries = [entry for entry in NO_ADDRESSES if entry]
    folder = make_project(recipients=[*ADDRESSES, *entries], email_strategy="all")
    with pytest.raises(InvalidConfiguration) as caught:
        load_project(folder)
    assert [(p.file, p.key) for p in caught.value.problems] == [
        (str(folder / "exec_config.json"), f"recipients[{place}]")
        for place in range(len(ADDRESSES), len(ADDRESSES) + len(entries))
    ]
    for problem in caught.value.problems:
        assert len(str(problem).splitlines()) == 1
        str(problem).encode()


@pytest.mark.parametrize("entry", NO_ADDRESSES)
def test_no_runner_takes_what_is_no_address(
    make_project: MakeProject, entry: str
) -> None:
    """The library's own door is as narrow as the configuration file's."""
    with pytest.raises(BadRecipientList):
        Runner(make_project(), ["ann@example.org", entry])


@pytest.mark.parametrize("variable", ["LOGIN_MAIL", "MAIL_FROM"])
@pytest.mark.parametrize("entry", [e for e in NO_ADDRESSES if e])
def test_no_sender_is_what_is_no_address(
    tmp_path: Path, variable: str, entry: str
) -> None:
    """The sender is checked where it is set, and named."""
    problems = load_settings(environ={variable: entry}, folder=tmp_path).mail.problems
    assert [problem.key for problem in problems] == [variable]
    assert len(str(problems[0]).splitlines()) == 1


@pytest.mark.parametrize(
    "sender", [*ADDRESSES, "Robot de nuit <r@b.fr>", '"R, D" <r@b.fr>', "<r@b.fr>"]
)
def test_what_is_a_sender(tmp_path: Path, sender: str) -> None:
    """An address of any domain, alone or behind a name, is taken."""
    mail = load_settings(environ={"MAIL_FROM": sender}, folder=tmp_path).mail
    assert mail.sender == sender


@pytest.mark.parametrize(
    "sender",
    [
        "Robot\r\nBcc: x@y <r@b.fr>",
        "Ro\u202ebot <r@b.fr>",
        "Robot <a@b>, <c@d>",
        "Robot <a@b; c@d>",
        'Ro"bot <r@b.fr>',
    ],
)
def test_what_is_no_sender(tmp_path: Path, sender: str) -> None:
    """A name beside the address adds neither headers nor addresses."""
    problems = load_settings(
        environ={"MAIL_FROM": sender}, folder=tmp_path
    ).mail.problems
    assert [problem.key for problem in problems] == ["MAIL_FROM"]


def test_a_login_that_is_no_address_needs_a_sender(tmp_path: Path) -> None:
    """A relay's account may be any word, where MAIL_FROM says who sends."""
    environ = {"LOGIN_MAIL": r"OFFICE\robot", "MAIL_FROM": "robot@example.org"}
    assert load_settings(environ=environ, folder=tmp_path).mail.login == r"OFFICE\robot"


@pytest.mark.portable("what a terminal is sent is text, the same everywhere")
@pytest.mark.slow
def test_a_terminal_is_not_obeyed_nor_deceived(
    make_project: MakeProject, cli: Callable[..., Any]
) -> None:
    """What commands tell of an error moves no cursor, hides no link, turns no letters."""
    evil = (
        "\x1b]8;;http://eve.example.com\x07link\x1b]8;;\x07\x1b[2K\rproject_1: main.py:"
        " succeeded\x1b[1A \u202egnp.exe\u2066 \x9b31m \x07"
    )
    folder = make_project(
        sources={
            "main.py": f"raise RuntimeError({evil!r})",
            "exit.py": f"import sys; sys.exit({evil!r})",
        },
        recipients=["ann@example.org"],
        email_strategy="all",
    )
    wrong = make_project("wrong", timeout=evil, env={evil: 1})
    to_files = {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(folder / "mail")}

    said = [
        cli("run", folder, wrong, **to_files),
        cli("check", folder, wrong, **to_files),
        cli("history"),
        cli("logs", folder),
        cli("mail", "list", "--all"),
        cli("mail", "show", 1),
        cli("mail", "show", "1"),
        cli("show", evil),
        cli("run", "--only", evil, folder, **to_files),
    ]
    run_id = said[2].stdout.split("\n")[1].split()[0]
    said += [cli("show", run_id), cli("show", run_id, "--json")]

    assert "gnp.exe" in said[0].stdout
    for done in said:
        for text in (done.stdout, done.stderr):
            assert not set(text) & set("\x1b\r\x07\x9b\u202e\u2066"), done.args
            assert "link" in text or "eve.example.com" not in text
