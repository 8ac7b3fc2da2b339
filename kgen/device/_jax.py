"""JAX's devices and switches."""

import os
import zlib
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from kgen.device._runtime import Device, Runtime, cpu, hidden_gpus
from kgen.device.spread import Spread
from kgen.errors import KgenError

_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


class JaxRuntime(Runtime):
    """JAX: the platforms its plugins bring, the first of which is taken by default."""

    name = "jax"

    def devices(self) -> list[Device]:
        """List the default platform's devices, and the CPU."""
        return [_device(d) for d in _all()]

    def active(self) -> Device:
        """Return where JAX puts a new array."""
        return _device(next(iter(jax.numpy.zeros(()).devices())))

    def use(self, kind: str) -> None:
        """Put new arrays on the first device of this kind."""
        if self.active().kind != kind:
            first = next(d for d in _all() if _device(d).kind == kind)
            jax.config.update("jax_default_device", first)

    def missing_gpu(self) -> str:
        """Name the plugin that JAX looks for."""
        platforms = os.environ.get("JAX_PLATFORMS")
        limited = f"JAX_PLATFORMS={platforms!r} limits where it looks. " if platforms else ""
        return (
            f"{hidden_gpus()}{limited}JAX {jax.__version__} looks for a GPU plugin "
            "(jax-cuda12-plugin) and a driver. Check nvidia-smi, then: pip install 'kgen[gpu]'."
        )

    def full_float32(self) -> None:
        """Ask for the highest precision of float32 products; JAX's default on a GPU is TF32."""
        jax.config.update("jax_default_matmul_precision", "float32")

    def determinism(self) -> None:
        """Check that XLA was told when JAX was imported; a CPU needs no telling."""
        if not self.is_deterministic():
            raise KgenError(
                f"Deterministic JAX on a GPU expects {_DETERMINISTIC} in XLA_FLAGS before JAX is "
                f"imported. Received: XLA_FLAGS={os.environ.get('XLA_FLAGS', '')!r}. "
                "Call kgen.backend.select('jax', deterministic=True) first."
            )

    def is_deterministic(self) -> bool:
        """Tell whether XLA was told, or need not be."""
        told = _DETERMINISTIC in os.environ.get("XLA_FLAGS", "").split()
        return told or self.active().kind == "cpu"

    def join(self, service: str, processes: int, process: int, timeout: float) -> None:
        """Connect to JAX's coordination service, which process 0 starts at the address `service`.

        A lost process is noticed by :class:`kgen.cluster.RollCall`. Left to itself, JAX ends the
        survivors with a dump of C++ stacks (hence "recoverability"), and takes SIGTERM for itself
        (its "preemption service").
        """
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.config.update("jax_enable_recoverability", True)
        jax.config.update("jax_enable_preemption_service", False)
        host, _, port = service.rpartition(":")
        here_only = host in ("localhost", "[::1]") or host.startswith("127.")
        jax.distributed.initialize(
            service,
            processes,
            process,
            cluster_detection_method="deactivate",
            initialization_timeout=max(1, int(timeout)),
            coordinator_bind_address=service if here_only else f"[::]:{port}",
        )

    def leave(self) -> None:
        """Disconnect from the coordination service; in process 0, end it."""
        jax.distributed.shutdown()

    def distribute(self, devices: int | None) -> None:
        """Replicate variables over the devices, and cut batches in as many parts."""
        first = next(d for d in jax.local_devices() if _device(d).kind == self.active().kind)
        owned: dict[int, list[Any]] = {process: [] for process in range(jax.process_count())}
        for device in jax.devices(first.platform):
            owned[device.process_index].append(device)
        wanted = max(map(len, owned.values())) if devices is None else devices
        if lacking := [process for process, own in owned.items() if len(own) < wanted]:
            raise _too_few(devices, wanted, len(owned[lacking[0]]), lacking[0], len(owned))
        if wanted == len(owned) == 1:
            return
        # Processes one after the other, as their shares of a batch are.
        chosen = [d for own in owned.values() for d in sorted(own, key=lambda d: d.id)[:wanted]]
        mesh = keras.distribution.DeviceMesh((len(chosen),), ["batch"], _names(chosen))
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(device_mesh=mesh, auto_shard_dataset=False)
        )

    def spread(self) -> Spread:
        """Say over how much models are spread."""
        distribution = keras.distribution.distribution()
        if distribution is None:
            return Spread()
        return Spread(
            devices=distribution.device_mesh.devices.size,
            processes=jax.process_count(),
            process=jax.process_index(),
        )

    def agree(self, flag: bool) -> bool:
        """Gather the flags of all processes."""
        return bool(np.any(multihost_utils.process_allgather(np.array(flag))))

    def same(self, text: str) -> bool:
        """Compare a checksum of the text between all processes."""
        own = np.uint32(zlib.crc32(text.encode()))
        return bool(np.all(multihost_utils.process_allgather(own) == own))


def _all() -> list[Any]:
    """List the default platform's devices, then the CPU if that is not it."""
    first = jax.devices()
    return first if first[0].platform == "cpu" else [*first, *jax.devices("cpu")]


def _device(device: Any) -> Device:
    """Describe a JAX device in kgen's words."""
    if device.platform == "cpu":
        return cpu()
    # CUDA, ROCm and Metal plugins each have a platform name of their own.
    return Device(kind="tpu" if device.platform == "tpu" else "gpu", name=device.device_kind)


def _names(devices: list[Any]) -> list[str]:
    """Name devices as Keras does."""
    return [f"{device.platform}:{device.id}" for device in devices]


def _too_few(devices: int | None, wanted: int, found: int, process: int, count: int) -> KgenError:
    """Make the error for a process that has fewer devices than it is to use."""
    where = f" in each process; process {process} has {found}" if count > 1 else f"; here: {found}"
    received = f"devices={'all' if devices is None else devices}"
    return KgenError(
        f"JAX was to compute on {wanted} devices{where}. Received: {received}. "
        "Ask for fewer, or see what hides them (CUDA_VISIBLE_DEVICES, nvidia-smi). A CPU is one "
        "device; to try more on it: XLA_FLAGS=--xla_force_host_platform_device_count=N."
    )
