#!/usr/bin/env bash
# Daily figures
set -euo pipefail
cd "$(dirname "$0")"
source .venv/bin/activate
export STAGE=prod
export DB_PASSWORD='hunter2'
python extract.py --day "$(date +%F)"
python transform.py
python load.py --target=dwh >> /var/log/figures.log 2>&1
