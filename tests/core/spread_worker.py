"""Takes training steps over several devices, in a process of its own: ``spread_worker.py JOBS``.

JOBS is a JSON list of {config, devices, steps, since, look, out}: a configuration, devices of each
process, numbers of the first step and of the one after the last, the folder of the checkpoint to
begin with (or null), whether to evaluate and draw, and the folder for what comes out. Where the
environment says so it is one of several processes, the first of which writes.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from kgen import backend, checkpoint, device  # none of them imports Keras yet
from kgen.cluster import RollCall, find
from kgen.run_config import RunConfig


def main() -> None:
    """Do the jobs one after the other."""
    backend.select("jax", device="cpu")
    member = find(None, None, None, os.environ)
    call = None
    if member:
        call = RollCall.join(member, facts={}, timeout=60, on_lost=sys.exit)
        device.join(call.service, member.num_processes, member.process, 60)
    device.setup(device="cpu")
    for job in json.loads(sys.argv[1]):
        device.distribute(job["devices"])
        work(job)
        device.alone()
    if member and call:
        end = [call.close, device.leave]
        for leave in end if member.process == 0 else reversed(end):
            leave()


def work(job: dict) -> None:
    """Train a few steps, evaluate, draw; leave a checkpoint and a table of numbers."""
    from kgen.step import engine
    from kgen.training import prepare

    setup = prepare(RunConfig.from_mapping(job["config"]))
    model = setup.model
    if job["since"]:
        checkpoint.restore(model, checkpoint.newest(Path(job["since"]))[0])
    step, losses = engine().stepper(model), []
    for index in range(*job["steps"]):
        logs = step(setup.batches.batch(0, index))
        losses.append({name: float(value) for name, value in logs.items()})
        engine().synchronise(model)
        model.reset_metrics()
    out, writes = Path(job["out"]), device.spread().writes
    if writes:
        checkpoint.save(out, model, {"step": job["steps"][1]})
        (out / "losses.json").write_text(json.dumps(losses))
    if not job["look"]:
        return
    images, labels = setup.held_out()
    held_out = {k: float(v) for k, v in engine().tester(model)((images, labels)).items()}
    drawn = model.preview(6)
    if writes:
        (out / "held_out.json").write_text(json.dumps(held_out))
        np.save(out / "drawn.npy", drawn)


main()
