#!/bin/bash
#SBATCH --job-name=sales
#SBATCH --no-requeue
#SBATCH --time=02:00:00
#SBATCH --signal=B:TERM@60
# One script of a project of Python Runner as a job of Slurm.
project=$1 script=$2

python-runner run "$project" --only "$script" &
runner=$!
# A minute before the time is over, and with scancel: it stops the script with all it started.
trap 'kill -TERM "$runner"; wait "$runner"' TERM
wait "$runner"
code=$?
# 4 and 5: the script succeeded, and only what tells of it went wrong.
[ "$code" = 4 ] || [ "$code" = 5 ] || exit "$code"
