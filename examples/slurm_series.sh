#!/bin/bash
# The scripts of a project in order: each begins when the one before has succeeded.
# singleton: never two of this name and user at a time, on whichever node.
project=/srv/projects/sales
after=singleton
for script in import.py report.py; do
    job=$(sbatch --parsable --kill-on-invalid-dep=yes \
        --dependency="$after" slurm_step.sh "$project" "$script") || exit
    echo "$script: job $job"
    after=afterok:$job,singleton
done
