cd C:\dev\ventes
poetry run python -m ventes.main
poetry run python scripts\export.py --all
