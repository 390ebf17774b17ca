"""Label and hash of a channel's address, for people and for the records."""

from __future__ import annotations

import re

from python_runner.patterns import lazy_pattern


#: Scheme and authority of an address, whatever Apprise puts there: a host or a token.
_ADDRESS = lazy_pattern(r"([a-z][a-z0-9+.-]*)://([^/?#]*)", re.IGNORECASE)
#: Apprise takes the password behind the question mark, too.
_PASSWORD = lazy_pattern(r"(?<=[?&])pass(?:word)?=[^&]*", re.IGNORECASE)
#: What is a host beyond doubt. A token has capitals, or digits at its end, or no dot.
_HOST = lazy_pattern(r"localhost|\d{1,3}(?:\.\d{1,3}){3}|(?:[a-z0-9-]+\.)+[a-z]{2,24}")


def channel_label(url: str) -> str:
    """Return what people may see of a channel: ``slack://... (3f9a1c2b)``.

    Any part of such an address may be a token, also where a host is expected. A host is
    shown only if it can be nothing else; the hash tells similar ones apart.
    """
    scheme, authority = _scheme_and_authority(url)
    host = authority.rpartition("@")[2].partition(":")[0]
    shown = f"{host}/..." if _HOST.fullmatch(host) else "..."
    return f"{scheme}://{shown} ({_channel_hash(url)})"


def channel_audience(url: str) -> str:
    """Return the name of a channel in the records, by which it is found again."""
    return f"channel {_channel_hash(url)}"


def _channel_hash(url: str) -> str:
    # Without the password: people choose passwords, and what they choose can be guessed
    # from a hash. It may change too, and the reports that wait still find their way.
    scheme, authority = _scheme_and_authority(url)
    user, at, host = authority.rpartition("@")
    rest = _PASSWORD.sub("", url[len(scheme) + len("://") + len(authority) :])
    import hashlib  # noqa: PLC0415 - few projects have channels

    identity = f"{scheme.lower()}://{user.partition(':')[0]}{at}{host}{rest}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _scheme_and_authority(url: str) -> tuple[str, str]:
    match = _ADDRESS.match(url)
    return (match[1], match[2]) if match else ("", "")
