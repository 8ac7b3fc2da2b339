#!/bin/bash
# Trains one model on four machines of eight GPUs each: sbatch docs/slurm.sh (see scale.md).
# One task a machine, which uses all GPUs of that machine.
#SBATCH --job-name=kgen-gan
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
# Three minutes before the end every task gets SIGTERM, on which kgen saves and stops.
#SBATCH --signal=TERM@180
# After the failure of a machine the job begins again, and goes on where it was.
#SBATCH --requeue
#SBATCH --open-mode=append
# Submit it as often as it may take: one runs at a time, and each goes on where the last one ended.
#SBATCH --dependency=singleton
set -euo pipefail

# Folders that all machines see.
: "${DATA:?DATA expects the folder of pictures: sbatch --export=ALL,DATA=...,RUN=... docs/slurm.sh}"
: "${RUN:?RUN expects the folder of the run}"

# srun has not taken this over from sbatch since Slurm 22.05.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# Tasks end each other (scale.md, section 5). Slurm would kill the one that is still saving.
srun --kill-on-bad-exit=0 \
    kgen train gan --backend jax --devices all --batch-size 1024 \
    --data "$DATA" --run "$RUN" --auto-resume
