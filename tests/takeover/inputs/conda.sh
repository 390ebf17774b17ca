#!/bin/bash -e
source /home/ann/miniconda3/etc/profile.d/conda.sh
conda activate ventes
cd /home/ann/ventes
python fetch.py; python report.py --lang fr
python - <<'PY'
print("inline")
PY
curl -fsS https://example.org/ping
