"""Set up where and how exactly the current Keras backend computes.

:func:`setup` comes after :func:`kgen.backend.select` and before any model is built. What differs
between the backends is in one small class each; what is decided is in pure functions.
"""

import os
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kgen import backend
from kgen.config import BACKENDS, PRECISIONS
from kgen.device._runtime import Device, Runtime
from kgen.device.spread import Spread
from kgen.errors import KgenError

DEVICES = ("auto", "cpu", "gpu")

# Keras's policy for each precision: weights stay float32, the heavy layers compute in 16 bits.
_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceInfo:
    """What a run computes with, for its summary.

    Attributes:
        backend: ``jax``, ``tensorflow`` or ``torch``.
        backend_version: that backend's version.
        keras_version: Keras's version.
        device: ``cpu``, ``gpu`` or ``tpu``.
        device_name: the maker's name for it.
        precision: what the heavy layers compute in: ``float32``, ``bfloat16`` or ``float16``.
        deterministic: whether the same bits come out on every run on the same machine.
        devices: how many devices compute together.
        processes: how many processes they belong to.
    """

    backend: str
    backend_version: str
    keras_version: str
    device: str
    device_name: str
    precision: str
    deterministic: bool
    devices: int
    processes: int


def setup(
    *, device: str = "auto", precision: str = "float32", deterministic: bool = False, seed: int = 0
) -> DeviceInfo:
    """Set the device, the precision, determinism and the seeds of the current backend.

    float32 means float32: TensorFloat-32, which some backends use for float32 products on a GPU
    and others do not, is switched off on all three. ``bfloat16`` is the way to be fast.

    Args:
        device: ``cpu``, ``gpu``, or ``auto``: what the backend takes by itself, which is a GPU if
            it sees one.
        precision: what the heavy layers compute in: ``float32``, ``bfloat16`` or ``float16``.
        deterministic: whether the same bits must come out on every run on the same machine. Pass
            the same to :func:`kgen.backend.select`.
        seed: in [0, 2**31 - 1]; of Python, NumPy, the backend, and of every layer, initializer and
            ``SeedGenerator`` built afterwards without a seed of its own.

    Returns:
        What was set up.

    Raises:
        KgenError: an argument is out of range, no GPU is there, or the backend has already begun
            to compute elsewhere.
    """
    _check("device", device, DEVICES)
    _check("precision", precision, PRECISIONS)
    import keras

    runtime = _runtime()
    runtime.use(choose(device, runtime.devices(), runtime.active().kind, runtime.missing_gpu()))
    runtime.full_float32()
    if runtime.active().kind == "cpu":
        runtime.share_cores(cores())
    if deterministic:
        runtime.determinism()
    keras.config.set_dtype_policy(_POLICIES[precision])
    set_seed(seed)
    return info()


def cores() -> int:
    """Return how many cores this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def choose(device: str, present: Sequence[Device], active: str, missing_gpu: str) -> str:
    """Decide on the kind of device to compute on.

    Args:
        device: ``auto``, ``cpu`` or ``gpu``.
        present: the devices that the backend sees.
        active: the kind that the backend would take by itself.
        missing_gpu: what the backend looked for and what to do, should there be no GPU.

    Returns:
        ``cpu``, ``gpu`` or ``tpu``.

    Raises:
        KgenError: ``gpu`` was asked for and there is none.
    """
    if device == "auto":
        return active
    if device == "gpu" and all(d.kind != "gpu" for d in present):
        seen = ", ".join(f"{d.kind} ({d.name})" for d in present) or "no device"
        raise KgenError(
            f"device='gpu' expects a GPU. Received: {seen}. {missing_gpu} Or use --device cpu."
        )
    return device


def jit_policy(name: str, kind: str, deterministic: bool) -> bool:
    """Decide whether a training step is worth compiling with XLA.

    JAX is nothing without it. TensorFlow's is up to five times slower than its oneDNN kernels on a
    CPU (benchmarks/train.py), pays on a GPU, and cannot compile every deterministic kernel.
    PyTorch's ``torch.compile`` takes up to a minute, and made the steps slower on a CPU
    (docs/speed.md): there kgen records the operations instead (kgen/step/_torch_record.py).

    Args:
        name: a backend.
        kind: the kind of device in use.
        deterministic: whether deterministic kernels were asked for.
    """
    if name == "jax":
        return True
    return name == "tensorflow" and kind != "cpu" and not deterministic


def jit_compile() -> bool:
    """Return the ``jit_compile`` to give to ``Model.compile`` on the current backend and device."""
    runtime = _runtime()
    return jit_policy(runtime.name, runtime.active().kind, runtime.is_deterministic())


def devices() -> list[Device]:
    """List the devices that the current backend sees, accelerators first."""
    return sorted(_runtime().devices(), key=lambda d: d.kind == "cpu")


def info() -> DeviceInfo:
    """Say what the current backend computes with, as it is now."""
    import keras

    runtime = _runtime()
    active, over = runtime.active(), runtime.spread()
    return DeviceInfo(
        backend=runtime.name,
        backend_version=backend.installed()[runtime.name] or "unknown",
        keras_version=keras.version(),
        device=active.kind,
        device_name=active.name,
        precision=str(keras.config.dtype_policy().compute_dtype),
        deterministic=runtime.is_deterministic(),
        devices=over.devices,
        processes=over.processes,
    )


def describe() -> dict[str, Any]:
    """Return :func:`info` as plain values, for ``summary.json``."""
    return asdict(info())


def join(service: str, processes: int, process: int, timeout: float) -> None:
    """Become one of several processes that compute together; comes before :func:`setup`.

    Args:
        service: ``host:port`` of the backend's coordination service, which process 0 starts.
        processes: how many there are.
        process: which of them this is, from 0.
        timeout: seconds to wait for the others.

    Raises:
        KgenError: the backend computes in one process only.
    """
    _runtime().join(service, processes, process, timeout)


def leave() -> None:
    """Leave the other processes, when all is done; process 0 comes last."""
    _runtime().leave()


def distribute(devices: int | None = None) -> Spread:
    """Spread the models that are built from here on over several devices; after :func:`setup`.

    Every device has all weights and computes its part of each batch (data parallelism).

    Args:
        devices: of each process, of the kind in use; None for all.

    Raises:
        KgenError: there are not so many, or the backend computes on one only.
    """
    _runtime().distribute(devices)
    return spread()


def spread() -> Spread:
    """Say over how many devices and processes the models that are built are spread."""
    return _runtime().spread()


def agree(flag: bool) -> bool:
    """Tell whether the flag is set in any process; every process must ask at the same step."""
    return _runtime().agree(flag) if spread().processes > 1 else flag


def same(text: str) -> bool:
    """Tell whether all processes have the same text; every process must ask at the same place."""
    return _runtime().same(text) if spread().processes > 1 else True


def alone() -> None:
    """Build models from here on in this process alone, on one device."""
    import keras

    keras.distribution.set_distribution(None)


def _check(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        raise KgenError(f"{name} takes one of {', '.join(choices)}. Received: {name}={value!r}.")


def _runtime() -> Runtime:
    """Return the current backend's runtime; imports Keras, and with it that backend only."""
    import keras

    match keras.config.backend():
        case "jax":
            from kgen.device._jax import JaxRuntime as Current
        case "tensorflow":
            from kgen.device._tensorflow import TensorFlowRuntime as Current
        case "torch":
            from kgen.device._torch import TorchRuntime as Current
        case name:
            raise KgenError(
                f"Keras's backend takes one of {', '.join(BACKENDS)}. Received: {name!r}. "
                "Set KERAS_BACKEND, or pass --backend."
            )
    return Current()


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and the backend; Keras draws its own seeds from Python's generator.

    Args:
        seed: in [0, 2**31 - 1].
    """
    import keras
    import numpy as np

    name = _runtime().name
    if name == "tensorflow" or "tensorflow" in sys.modules:
        keras.utils.set_random_seed(seed)
        return
    # set_random_seed would import TensorFlow only to seed it: seconds, and hundreds of megabytes.
    random.seed(seed)
    np.random.seed(seed)
    if name == "torch":
        import torch

        torch.manual_seed(seed)
