"""PyTorch's devices and switches."""

import os
from typing import Any

import keras
import torch

from kgen.device._runtime import Device, Runtime, cpu, hidden_gpus
from kgen.errors import KgenError


class TorchRuntime(Runtime):
    """PyTorch: Keras picks the device once, when it is imported (KERAS_TORCH_DEVICE)."""

    name = "torch"

    def devices(self) -> list[Device]:
        """List CUDA (and ROCm) GPUs, Apple's and Intel's, and the CPU."""
        found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found += ["Apple GPU (MPS)"] if torch.backends.mps.is_available() else []
        found += [torch.xpu.get_device_name(i) for i in range(torch.xpu.device_count())]
        return [*(Device(kind="gpu", name=name) for name in found), cpu()]

    def active(self) -> Device:
        """Return where Keras puts a new tensor."""
        tensor: Any = keras.ops.zeros(())
        device = tensor.device
        if device.type == "cpu":
            return cpu()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return Device(kind="gpu", name=name)

    def use(self, kind: str) -> None:
        """Check that Keras picked this kind of device."""
        active = self.active()
        if active.kind != kind:
            raise KgenError(
                f"device={kind!r} expects Keras on PyTorch to have been imported for it. Received: "
                f"{active.kind} ({active.name}), "
                f"KERAS_TORCH_DEVICE={os.environ.get('KERAS_TORCH_DEVICE')!r}. "
                "Unset KERAS_TORCH_DEVICE, or call "
                f"kgen.backend.select('torch', device={kind!r}), before Keras is imported."
            )

    def missing_gpu(self) -> str:
        """Name the kinds of GPU that PyTorch looks for."""
        build = (
            "a CPU build" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        )
        return (
            f"{hidden_gpus()}PyTorch {torch.__version__} ({build}) looks for CUDA, MPS and XPU "
            "devices. Check nvidia-smi, then: pip install 'kgen[gpu]'."
        )

    def full_float32(self) -> None:
        """Switch TensorFloat-32 off for products and for convolutions, where it is the default."""
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False

    def determinism(self) -> None:
        """Take deterministic kernels, and fail on an operation that has none."""
        torch.use_deterministic_algorithms(True)

    def is_deterministic(self) -> bool:
        """Tell whether operations are deterministic."""
        return torch.are_deterministic_algorithms_enabled()
