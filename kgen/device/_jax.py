"""JAX's devices and switches."""

import os
from typing import Any

import jax

from kgen.device._runtime import Device, Runtime, cpu, hidden_gpus
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
