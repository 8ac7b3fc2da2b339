"""What kgen asks of a backend's own API about devices; one final class per backend."""

import os
import platform
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from kgen import backend
from kgen.device.spread import Spread

_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device that a backend sees.

    Attributes:
        kind: ``cpu``, ``gpu`` or ``tpu``.
        name: the maker's name for it.
    """

    kind: str
    name: str


class Runtime(ABC):
    """A backend's devices and the switches on how exactly they compute."""

    name: str

    @abstractmethod
    def devices(self) -> list[Device]:
        """List the devices the backend sees."""

    @abstractmethod
    def active(self) -> Device:
        """Return the device on which the next model is built."""

    @abstractmethod
    def use(self, kind: str) -> None:
        """Compute on this kind of device, which is present; KgenError if it is too late."""

    @abstractmethod
    def missing_gpu(self) -> str:
        """Say what was looked for, and what to install, when no GPU is found."""

    @abstractmethod
    def full_float32(self) -> None:
        """Compute float32 products in float32, not in TensorFloat-32."""

    @abstractmethod
    def determinism(self) -> None:
        """Use deterministic kernels from here on; KgenError if it is too late."""

    @abstractmethod
    def is_deterministic(self) -> bool:
        """Tell whether deterministic kernels are in use."""

    def share_cores(self, cores: int) -> None:
        """Use the cores of a CPU as kgen's steps do it best; nothing where the backend does."""
        return

    # Several devices. Keras spreads a training over them on JAX only.

    def join(self, service: str, processes: int, process: int, timeout: float) -> None:
        """Become one of several processes; before anything is computed."""
        backend.check_spread(self.name, processes=processes)

    def leave(self) -> None:
        """Leave the other processes."""
        return

    def distribute(self, devices: int | None) -> None:
        """Spread models that are built from here on over devices of the kind in use."""
        backend.check_spread(self.name, devices)

    def spread(self) -> Spread:
        """Say over how much models are spread."""
        return Spread()

    def agree(self, flag: bool) -> bool:
        """Tell whether the flag is set in any process; all must ask at the same step."""
        return flag

    def same(self, text: str) -> bool:
        """Tell whether all processes have the same text; all must ask at the same place."""
        return True


def cpu() -> Device:
    """Return this machine's processor."""
    text = _CPUINFO.read_text() if _CPUINFO.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return Device(kind="cpu", name=name)


def hidden_gpus() -> str:
    """Say that the environment hides NVIDIA GPUs, if it does; else nothing."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"CUDA_VISIBLE_DEVICES={value!r} hides NVIDIA GPUs. " if value in ("", "-1") else ""
