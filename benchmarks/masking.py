"""How fast secrets are taken out of output, and whether the time grows with its size only.

::

    python benchmarks/masking.py          # 10 MB
    python benchmarks/masking.py 50       # 50 MB

Each line tells the processor time, and how it grows when the output doubles: 2 is linear.
"""

from __future__ import annotations

import random
import sys
import time

from python_runner.masking import Masker


BLOCK = 1024 * 1024
LINE = (
    b"2024-11-27 09:51:58,954 INFO worker: processed 1234 rows of customers in 0.12 s\n"
)
COLOURED = b"\x1b[32m2024-11-27 09:51:58\x1b[0m \x1b[1mINFO\x1b[0m worker: processed 1234 rows\n"


def make_secrets(count: int) -> list[str]:
    """Return random passwords, the same each time."""
    random_ = random.Random(1)  # noqa: S311 - nothing here is secret
    letters = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789"
    return ["".join(random_.choices(letters, k=20)) for _ in range(count)]


def seconds(secrets: list[str], part: bytes, size: int) -> float:
    """Return the processor time of masking ``size`` bytes of a repeated part."""
    data = (part * (size // len(part) + 1))[:size]
    masker = Masker(secrets)
    began = time.process_time()
    for _piece in masker.stream(data[i : i + BLOCK] for i in range(0, size, BLOCK)):
        pass
    return time.process_time() - began


def main() -> None:
    """Print a table."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else "10") * 1_000_000
    one, many = make_secrets(1), make_secrets(100)
    near = one[0][:-1].encode() + b" is near "
    cases = {
        "1 secret, no hit": (one, LINE),
        "1 secret with signs, no hit": (["pä ss\"w'<&+1"], LINE),
        "1 secret, coloured output": (one, COLOURED),
        "1 secret, near misses": (one, near),
        "1 secret, nothing but hits": (one, one[0].encode() + b" hit\n"),
        "100 secrets, no hit": (many, LINE),
        "100 secrets, near misses": (many, near),
        "2000 equal characters, near misses": (["a" * 2000], b"a" * 1999 + b"b"),
    }
    for name, (secrets, part) in cases.items():
        half, whole = (seconds(secrets, part, n) for n in (size // 2, size))
        print(f"{name:36} {whole:6.2f} s  x {whole / max(half, 0.001):.1f}")


if __name__ == "__main__":
    main()
