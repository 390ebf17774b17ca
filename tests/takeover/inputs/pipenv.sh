#!/bin/sh
cd /srv/ventes || exit 2
PIPENV_PIPFILE=/srv/ventes/Pipfile pipenv run python collect.py \
    --since 2024-01-01 \
    --until "$1"
sudo -u postgres python3 dump.py
env LANG=fr_FR.UTF-8 python3 rapport.py | mail -s rapport ann@example.org
