"""The training step of a family on JAX: what it reduces over devices, and how long it takes.

The backend must have been selected and the device set up before this module is imported.
"""

import math
import re
import time
from typing import Any

import jax
import keras

from kgen import run_config
from kgen.step import engine
from kgen.training import Setup, prepare

WARM_UP = 3
_COLLECTIVE = re.compile(
    r"= (?P<result>.+?) "
    r"(?P<name>all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)\("
)
_ARRAY = re.compile(r"\b(pred|bf16|[a-z]+(\d+))\[([\d,]*)\]")


def setup_of(family: str, preset: str) -> Setup:
    """Build a family's model as `kgen train` does, on the embedded pictures."""
    values = {"training.backend": "jax", "data.source": "embedded"}
    return prepare(run_config.resolve(family, preset=preset, overrides=values))


def gradient_bytes(model: Any) -> int:
    """Sum the float32 gradients of a step: an optimizer's variables as often as it moves them."""
    times = model.updates()
    return sum(
        4 * times.get(name, 1) * sum(math.prod(variable.shape) for variable in variables)
        for name, variables in model.optimized().items()
    )


def milliseconds(setup: Setup, steps: int) -> float:
    """Measure a step on one device, the fetching of its batch included: the fastest of `steps`.

    Other programs disturb that one the least, and the shortest step leaves the lowest efficiency.
    """
    step, number = engine().stepper(setup.model), setup.batches.steps_per_epoch
    times = []
    for index in range(WARM_UP + steps):
        begun = time.perf_counter()
        jax.block_until_ready(step(setup.batches.batch(0, index % number)))
        times.append(1000 * (time.perf_counter() - begun))
    return min(times[WARM_UP:])


def program(setup: Setup) -> str:
    """Compile the step for the current distribution; return the program, the text of XLA's HLO.

    It is compiled for this machine. For another, XLA may put operations together, or not.
    """
    model, distribution = setup.model, keras.distribution.distribution()
    if distribution is None:
        raise RuntimeError("program expects a keras.distribution to be set.")
    mesh = distribution.device_mesh.backend_mesh
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    batch = jax.device_put(setup.batches.batch(0, 0), rows)
    groups = (
        model.trainable_variables, model.non_trainable_variables,
        model.optimizer.variables, model.metrics_variables,
    )  # fmt: skip
    state = tuple([variable.value for variable in group] for group in groups)
    compiled = jax.jit(model.train_step, donate_argnums=0).lower(state, batch).compile()
    return str(compiled.as_text())


def collectives(hlo: str) -> list[tuple[str, int]]:
    """List the collectives of a compiled program as (name, bytes of what every device gets)."""
    found = _COLLECTIVE.finditer(hlo)
    return [(match["name"], array_bytes(match["result"])) for match in found]


def array_bytes(types: str) -> int:
    """Sum the bytes of the arrays of a type as HLO writes it, such as `(f32[2,3]{1,0}, u8[])`."""
    total = 0
    for name, bits, shape in _ARRAY.findall(types):
        width = 8 if name == "pred" else 16 if name == "bf16" else int(bits)
        total += width // 8 * math.prod(int(axis) for axis in shape.split(",") if axis)
    return total
