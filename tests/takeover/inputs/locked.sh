#!/bin/bash
DIR="$( cd "$( dirname "${BASH_SOURCE[0]}" )" && pwd )"
exec 9>/tmp/ventes.lock
flock -n 9 || exit 0
timeout 45m nice -n 10 "$DIR/venv/bin/python" "$DIR/sync.py" --quiet &
wait
for region in nord sud; do
  python3 region.py "$region"
done
case "$1" in
  full) python3 full.py ;;
esac
