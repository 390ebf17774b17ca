"""The name by which this computer greets a mail server."""

from __future__ import annotations

from ipaddress import ip_address

from python_runner.patterns import lazy_pattern


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
#: A full name; the last part of a number is that of an address.
_FULL_NAME = lazy_pattern(rf"(?:{_LABEL}\.)+(?![0-9]+$){_LABEL}")
#: Characters of a name at most.
_LONGEST = 253


def greeting_name(computer: str, address: str) -> str:
    """Return the name of a computer if it is a full one, else its address as a literal.

    Many servers refuse a name without a dot, which is what Windows gives a computer.

    Args:
        computer: its name, as the system knows it; no DNS is asked, which may be slow.
        address: that of its end of the connection.
    """
    if len(computer) <= _LONGEST and _FULL_NAME.fullmatch(computer):
        return computer
    ip = ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"  # noqa: PLR2004
