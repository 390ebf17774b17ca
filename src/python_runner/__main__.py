"""``python -m python_runner``."""

from __future__ import annotations

from python_runner.cli import main


if __name__ == "__main__":
    main()
