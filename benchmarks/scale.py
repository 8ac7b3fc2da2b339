"""What several devices could give, by a model of their links: ``python benchmarks/scale.py``.

For each family: the bytes that a step of the default preset sends, read from the program that XLA
compiles for two devices; how long a step takes on one device, measured here; and the efficiency
that named links allow. What is assumed is said in benchmarks/README.md.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from benchmarks.scaling import ring  # noqa: E402

FAMILIES = ("gan", "vae", "ddpm")
DEVICES = (1, 2, 4, 8, 16, 32, 64)
BUSY = 0.3
"""Load average (processes that want a core) above which this machine is called busy."""


def main() -> None:
    """Look at every family in processes of its own, and print tables, or JSON."""
    options = parse()
    if options.worker:
        print(json.dumps(WORKERS[options.worker](options)))
        return
    results = [result(family, options) for family in options.families]
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for found in results:
            print_tables(found)
    if options.plot:
        from benchmarks.scaling import figure
        from kgen.plots.style import save_figure

        save_figure(options.plot, figure.draw(results))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--preset", default="quick", help="default: quick")
    parser.add_argument("--steps", type=int, default=10, help="steps that are measured")
    parser.add_argument(
        "--step-ms", type=float, help="milliseconds of a step elsewhere, in place of measuring here"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the efficiencies")
    parser.add_argument("--worker", choices=list(WORKERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def result(family: str, options: argparse.Namespace) -> dict[str, Any]:
    """Ask the workers about a family, and apply the model."""
    load = os.getloadavg()[0]
    found = {"family": family, "preset": options.preset, **in_process("reduce", family, options, 2)}
    if options.step_ms:
        found |= {"step_ms": options.step_ms, "measured": False}
    else:
        found |= {**in_process("time", family, options, 1), "measured": True, "load": load}
    return found | efficiencies(found)


def efficiencies(found: dict[str, Any]) -> dict[str, Any]:
    """Apply the model: efficiencies by link, one for each number of devices.

    None where there are more devices than pictures to share.
    """
    step, size, operations = found["step_ms"] / 1000, found["reduced_bytes"], found["operations"]
    weak: dict[str, list[float]] = {}
    strong: dict[str, list[float | None]] = {}
    for link in ring.LINKS:
        costs = [ring.seconds(size, operations, n, link) for n in DEVICES]
        weak[link.name] = [ring.weak_efficiency(step, cost) for cost in costs]
        strong[link.name] = [
            ring.strong_efficiency(step, cost, n) if n <= found["batch_size"] else None
            for n, cost in zip(DEVICES, costs, strict=True)
        ]
    return {"devices": list(DEVICES), "weak": weak, "strong": strong}


def in_process(
    worker: str, family: str, options: argparse.Namespace, devices: int
) -> dict[str, Any]:
    """Run a worker in a fresh process that sees so many CPU devices; return what it prints."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": flags.strip(),
    }
    arguments = ["--worker", worker, "--families", family, "--preset", options.preset]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, "--steps", str(options.steps)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stderr}\n{family} failed; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def reduced(options: argparse.Namespace) -> dict[str, Any]:
    """Say what a step on several devices reduces; runs in a worker."""
    start()
    import keras

    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    from benchmarks.scaling import step

    setup = step.setup_of(options.families[0], options.preset)
    found = step.collectives(step.program(setup))
    return {
        "batch_size": setup.batches.batch_size,
        "gradient_bytes": step.gradient_bytes(setup.model),
        "reduced_bytes": sum(size for _, size in found),
        "operations": len(found),
        "kinds": sorted({name for name, _ in found}),
    }


def timed(options: argparse.Namespace) -> dict[str, Any]:
    """Say how long a step takes on one device; runs in a worker."""
    start()
    from benchmarks.scaling import step

    setup = step.setup_of(options.families[0], options.preset)
    return {"step_ms": step.milliseconds(setup, options.steps)}


WORKERS = {"reduce": reduced, "time": timed}


def start() -> None:
    """Start JAX on the CPU."""
    from kgen import backend, device

    backend.select("jax", device="cpu")
    device.setup(device="cpu")


def print_tables(found: dict[str, Any]) -> None:
    """Print a family's facts and its two tables."""
    origin = "as given"
    if found["measured"]:
        busy = f", while others computed (load {found['load']:.1f})" * (found["load"] > BUSY)
        origin = f"measured here, on the CPU{busy}"
    print(f"{found['family']}, preset {found['preset']}, {found['batch_size']} pictures a step")
    print(f"  step on one device   {found['step_ms']:>8.2f} ms, {origin}")
    print(f"  gradients            {found['gradient_bytes'] / 1e6:>8.2f} MB")
    print(
        f"  reduced              {found['reduced_bytes'] / 1e6:>8.2f} MB in {found['operations']} "
        f"operations ({', '.join(found['kinds'])})"
    )
    for kind, words in (("weak", "batch grows"), ("strong", "batch shared")):
        print(f"  {words:<16}" + "".join(f"{n:>7}" for n in found["devices"]) + "  devices")
        for link, values in found[kind].items():
            cells = (f"{100 * v:>6.1f}%" if v is not None else f"{'-':>7}" for v in values)
            print(f"    {link:<14}" + "".join(cells))
    print(flush=True)


if __name__ == "__main__":
    main()
