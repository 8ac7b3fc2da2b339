"""How good kgen's defaults are, beside what a user would pick instead: `benchmarks/quality.py`.

For each family and each budget of processor time, kgen's default preset and other people's
programs train on Fashion-MNIST, from several seeds; the pictures that they draw are scored by one
extractor against the test set. Who takes part, and what counts: benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from benchmarks.contestants import CONTESTANTS, Codes, Task, compete  # noqa: E402
from benchmarks.contestants.results import append, key, read, table  # noqa: E402

FAMILIES = ("gan", "vae", "ddpm")
PICTURES = {"gan": 10_000, "vae": 10_000, "ddpm": 2_000}
"""Drawn and scored; those of a diffusion model cost a hundred times as much."""
RESULTS, SAMPLES, FACTS, GRID = "results.jsonl", "samples.npz", "facts.json", "grid.png"
PACKAGES = ("kgen", "keras", "tensorflow", "torch", "diffusers", "pythae", "numpy")


def main() -> None:
    """Let everybody train, from where an earlier call stopped, and print the table."""
    options = parse()
    if options.worker:
        work(options)
        return
    path = options.folder / RESULTS
    for job in () if options.table else jobs(options):
        if key(job) not in read(path):
            append(path, run(job, options))
    print("\n".join(table(read(path).values())))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    add("--who", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    add("--minutes", nargs="+", type=float, default=[5.0, 20.0], help="of processor time")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("-n", type=int, help="pictures; default: 10,000, of a ddpm 2,000")
    add("--threads", type=int, default=2, help="of the CPU, for everybody")
    add("--backend", default="tensorflow", help="Keras's, for kgen")
    add("--folder", type=Path, default=Path("runs/quality"), help="for results and pictures")
    add("--table", action="store_true", help="only print what is there")
    add("--worker", choices=("train", "score"), help=argparse.SUPPRESS)
    return parser.parse_args()


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """List what has to be done, the short budgets first."""
    return [
        {
            "who": who, "family": CONTESTANTS[who].family, "minutes": minutes, "seed": seed,
            "n": options.n or PICTURES[CONTESTANTS[who].family],
        }
        for minutes in sorted(options.minutes)
        for seed in options.seeds
        for who in options.who
        if CONTESTANTS[who].family in options.families
    ]  # fmt: skip


def run(job: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Train, draw and score in fresh processes; what an earlier call has drawn is drawn."""
    folder = folder_of(job, options.folder)
    print(f"{job['who']}, {job['minutes']:g} minutes, seed {job['seed']}", flush=True)
    if not (folder / FACTS).exists():
        in_process("train", job, options)
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        print(
            f"  {facts['steps']:,} steps in {facts['cpu_seconds']:.0f} CPU s, "
            f"{job['n']:,} pictures in {facts['sampling_seconds']:.0f} CPU s", flush=True,
        )  # fmt: skip
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    scored = json.loads(in_process("score", job, options))
    shown = ", ".join(f"{name} {value:.4g}" for name, value in scored["values"].items())
    print(f"  {shown}", flush=True)
    return {**job, **facts, **scored}


def folder_of(job: dict[str, Any], folder: Path) -> Path:
    """Return a job's own folder."""
    name = f"{job['who']}-{job['minutes']:g}min-seed{job['seed']}-n{job['n']}"
    return folder / name


def in_process(what: str, job: dict[str, Any], options: argparse.Namespace) -> str:
    """Do one thing in a fresh process, with as many threads as everybody has; its last line.

    What it says goes into a log in the job's folder.
    """
    folder = folder_of(job, options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = {
        **os.environ, **dict.fromkeys(threads, str(options.threads)),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.getenv("PYTHONPATH")])]),
        "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
        # No library may look for a newer version of something while it is measured.
        "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    command = [
        sys.executable, __file__, "--worker", what, "--who", job["who"], "-n", str(job["n"]),
        "--minutes", str(job["minutes"]), "--seeds", str(job["seed"]),
        "--threads", str(options.threads), "--backend", options.backend,
        "--folder", str(options.folder),
    ]  # fmt: skip
    log = folder / f"{what}.log"
    with log.open("w", encoding="utf-8") as errors:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        sys.exit(f"{job['who']} failed: {' '.join(last)}\nAll of it: {log}")
    return done.stdout.splitlines()[-1] if done.stdout.strip() else ""


def work(options: argparse.Namespace) -> None:
    """Do one thing for one job, in this process."""
    (who,) = options.who
    job = next(job for job in jobs(options) if job["who"] == who)
    folder = folder_of(job, options.folder)
    {"train": train, "score": score}[options.worker](job, folder, options)


def train(job: dict[str, Any], folder: Path, options: argparse.Namespace) -> None:
    """Train and draw; the facts are written last, and say that all else is there."""
    import shutil

    from kgen import pictures
    from kgen.files import write_text

    for left in folder.glob("*/"):  # by a kill
        shutil.rmtree(left)
    outcome = compete(job["who"], Task(
        seconds=60 * job["minutes"], seed=job["seed"], n=job["n"], threads=options.threads,
        folder=folder, backend=options.backend,
    ))  # fmt: skip
    pictures.save_npz(folder / SAMPLES, outcome.images)
    pictures.save_png(folder / GRID, pictures.grid(outcome.images[:64]))
    facts = {**outcome.facts(), "threads": options.threads, "versions": versions(),
             "machine": machine()}  # fmt: skip
    write_text(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def score(job: dict[str, Any], folder: Path, options: argparse.Namespace) -> None:
    """Score what was drawn, and print the result as one line of JSON."""
    import numpy as np

    from benchmarks.contestants import scoring
    from kgen import backend

    backend.select(options.backend, device="cpu")
    from kgen import device

    device.setup(device="cpu")
    with np.load(folder / SAMPLES) as arrays:
        name, values = scoring.score(arrays["images"], job["seed"])
    codes = json.loads((folder / FACTS).read_text(encoding="utf-8"))["codes"]
    if codes:
        values["elbo"] = scoring.elbo(Codes(**codes))
    print(json.dumps({"extractor": name, "values": values}))


def versions() -> dict[str, str]:
    """Return the versions of what may matter."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Say what kind of machine this is."""
    return f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
