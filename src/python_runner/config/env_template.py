"""The ``.env`` file that people begin with: every usual line, with its comment."""

from __future__ import annotations

from python_runner.texts.sentence import N_
from python_runner.texts.sentence import translate as _


#: Comments, and the lines below each. What is no setting by itself is a comment as well.
_PARTS = (
    (
        N_(
            "Settings of Python Runner: fill in the values, or let python-runner mail setup"
            " do it, and let nobody else read this file"
        ),
        "",
    ),
    (
        N_("Mailbox that sends; in single quotes, a password is taken literally"),
        "LOGIN_MAIL=\nPASSWORD_MAIL=''\n",
    ),
    (
        N_("Sender shown, if it is another one"),
        "#MAIL_FROM=Reports <reports@example.org>\n",
    ),
    (
        N_(
            "Mail server, if the address does not choose it; without LOGIN_MAIL it needs"
            " no password"
        ),
        "#SMTP_HOST=smtp.example.org\n#SMTP_PORT=587\n#SMTP_SECURITY=starttls\n",
    ),
    (
        N_("To try without sending: each email becomes a file in this folder"),
        "#MAIL_TRANSPORT=file\n#MAIL_DIR=mails\n",
    ),
    (
        N_("Several ways to send: the next one takes over while one is closed"),
        "#MAIL_TRANSPORT=smtp,eventlog\n",
    ),
    (
        N_(
            "Other variables are for your scripts, which receive all but the"
            " passwords above"
        ),
        "#DATABASE=sales\n",
    ),
)


def env_template() -> str:
    """Return the text of a ``.env`` file that sets nothing yet, in the user's language."""
    return "\n".join(f"# {_(comment)}\n{lines}" for comment, lines in _PARTS)
