#!/bin/bash
fail() {
  echo "failed: $1" >&2
  exit 1
}
step() {
  python3 "$1" --stage "${STAGE:-test}" || fail "$1"
}
step extract.py
step load.py
if python3 check.py; then
  python3 publish.py
else
  python3 rollback.py
fi
