"""``python -m tests.doctor_table``: writes the tables of findings on the pages of `doctor`."""

from __future__ import annotations

import re
from pathlib import Path

from python_runner.doctor.finding import Kind, Severity
from python_runner.doctor.kinds import KINDS
from python_runner.texts.sentence import catalogue


DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": DOCS / "doctor.md", "fr": DOCS / "doctor.fr.md"}
HEADS = {
    "en": ("finding", "what was found", "why it matters", "what to do"),
    "fr": ("constat", "ce qui a été trouvé", "pourquoi c'est important", "que faire"),
}
BEGIN, END = "<!-- findings: {severity} -->", "<!-- end of findings -->"
#: What a finding says whose sentence comes from elsewhere.
SAID = {
    "project.ready": ("what was looked at", "ce qui a été examiné"),
    "configuration.wrong": (
        "what `check` calls a problem of a configuration",
        "ce que `check` appelle un problème de configuration",
    ),
    "configuration.odd": (
        "what `check` warns of in a configuration",
        "ce dont `check` avertit dans une configuration",
    ),
    "interpreter.unusable": (
        "the interpreter is missing, cannot be started or is no Python",
        "l'interpréteur manque, ne démarre pas ou n'est pas un Python",
    ),
    "script.wrong": (
        "a script is missing, cannot be read or is no valid Python",
        "un script manque, est illisible ou n'est pas du Python valable",
    ),
    "logs.unwritable": (
        "the log or the output of scripts cannot be written",
        "le journal ou la sortie des scripts ne peut pas être écrit",
    ),
    "address.unknown": (
        "the server of `heartbeat_url` or of a channel is not known",
        "le serveur de `heartbeat_url` ou d'un canal est inconnu",
    ),
    "state.unwritable": (
        "the state folder cannot be written",
        "le dossier d'état ne peut pas être écrit",
    ),
    "records.unreadable": (
        "the records cannot be opened, or are a newer version's",
        "l'historique ne s'ouvre pas, ou vient d'une version plus récente",
    ),
    "mail.configuration": (
        "a variable of the mail settings is wrong",
        "une variable des paramètres d'e-mail est fausse",
    ),
    "mail.closed": (
        "no way takes a login: the step that failed, and why",
        "aucune voie n'accepte l'authentification\u00a0: l'étape qui a échoué, et pourquoi",
    ),
    "mail.way_closed": (
        "one of several ways takes no login: the step that failed, and why",
        "une voie parmi d'autres refuse l'authentification\u00a0: l'étape, et pourquoi",
    ),
    "mail.open": (
        "a way takes the login",
        "une voie accepte l'authentification",
    ),
    "mail.password": (
        "a Microsoft mailbox is to send with a password",
        "une boîte de Microsoft doit envoyer avec un mot de passe",
    ),
    "sign_in.ended": (
        "nobody has signed in, or Microsoft does not accept the sign-in any more",
        "personne ne s'est identifié, ou Microsoft n'accepte plus l'identification",
    ),
    "sign_in.ending": (
        "the sign-in ends within 14 days, because it was not used",
        "l'identification prend fin dans les 14 jours, faute d'usage",
    ),
    "certificate.ended": (
        "the certificate of the application has ended",
        "le certificat de l'application a expiré",
    ),
    "certificate.ending": (
        "the certificate of the application ends within 30 days",
        "le certificat de l'application expire dans les 30 jours",
    ),
    "account.root": ("this is root", "ce compte est root"),
    "permissions.open": (
        "others may change what is run, or read its secrets",
        "d'autres peuvent modifier ce qui est exécuté, ou lire ses secrets",
    ),
    "package.foreign": (
        "another package named `python_runner`, or a damaged installation",
        "un autre paquet nommé `python_runner`, ou une installation endommagée",
    ),
}


def table(severity: Severity, language: str) -> str:
    """Return the table of the findings that are so bad, in a language."""
    heads = HEADS[language] if severity is not Severity.FINE else HEADS[language][:2]
    rows = [heads, ("---",) * len(heads)]
    for kind in KINDS:
        if kind.severity is severity:
            cells = (f"`{kind.id}`", *_cells(kind, language))
            rows.append(cells[: len(heads)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(kind: Kind, language: str) -> tuple[str, ...]:
    words = catalogue(language).gettext
    texts = [words(text) if text else "" for text in (kind.what, kind.why, kind.fix)]
    if kind.id in SAID:
        texts[0] = SAID[kind.id][language == "fr"]
    # The values of a sentence are only known where it is said.
    texts = [re.sub(r"\{\w+\}", "…", text).replace("|", r"\|") for text in texts]
    return tuple(texts)


def written(page: str, language: str) -> str:
    """Return a page with its tables made anew."""
    for severity in Severity:
        begin = BEGIN.format(severity=severity.value)
        before, _mark, rest = page.partition(begin)
        _old, _mark, after = rest.partition(END)
        page = f"{before}{begin}\n\n{table(severity, language)}\n{END}{after}"
    return page


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(written(path.read_text("utf-8"), language), encoding="utf-8")
