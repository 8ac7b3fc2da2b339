"""TensorFlow's devices and switches."""

import os

import tensorflow as tf
from tensorflow.python.framework.config import (  # no public getter; Keras takes it from here too
    is_op_determinism_enabled,
)

from kgen.device._runtime import Device, Runtime, cpu, hidden_gpus
from kgen.errors import KgenError

_THREADS = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


class TensorFlowRuntime(Runtime):
    """TensorFlow: the physical devices it lists, all of which are visible by default."""

    name = "tensorflow"

    def devices(self) -> list[Device]:
        """List the GPUs, and the CPU."""
        return [*(_device(g) for g in tf.config.list_physical_devices("GPU")), cpu()]

    def active(self) -> Device:
        """Return the first visible GPU, else the CPU."""
        visible = tf.config.get_visible_devices("GPU")
        return _device(visible[0]) if visible else cpu()

    def use(self, kind: str) -> None:
        """Show TensorFlow all GPUs or none, and let it take their memory as it needs it."""
        gpus = tf.config.list_physical_devices("GPU") if kind == "gpu" else []
        try:
            tf.config.set_visible_devices(gpus, "GPU")
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:
            raise KgenError(
                f"device={kind!r} expects a TensorFlow that has not computed yet. "
                f"Received: {error}. Call kgen.device.setup first, or start a new process."
            ) from error

    def share_cores(self, cores: int) -> None:
        """Let two operations run at a time, with half of the cores each.

        The step engine then computes two halves of a batch at a time. What the environment or the
        program says of threads holds, and so does how a TensorFlow began that has computed.
        """
        own = tf.config.threading
        said = own.get_inter_op_parallelism_threads() or own.get_intra_op_parallelism_threads()
        if cores < 2 or said or any(os.environ.get(name) for name in _THREADS):
            return
        try:
            own.set_inter_op_parallelism_threads(2)
            own.set_intra_op_parallelism_threads(cores // 2)
        except RuntimeError:
            return

    def missing_gpu(self) -> str:
        """Name the libraries that TensorFlow loads for a GPU."""
        return (
            f"{hidden_gpus()}TensorFlow {tf.__version__} looks for an NVIDIA driver, CUDA 12 and "
            "cuDNN 9. Check nvidia-smi, then: pip install 'kgen[gpu]'."
        )

    def full_float32(self) -> None:
        """Switch TensorFloat-32 off; it is TensorFlow's default."""
        tf.config.experimental.enable_tensor_float_32_execution(False)

    def determinism(self) -> None:
        """Take deterministic kernels, and fail on an operation that has none."""
        tf.config.experimental.enable_op_determinism()

    def is_deterministic(self) -> bool:
        """Tell whether operations are deterministic."""
        return is_op_determinism_enabled()


def _device(gpu: tf.config.PhysicalDevice) -> Device:
    """Describe a TensorFlow GPU in kgen's words."""
    details = tf.config.experimental.get_device_details(gpu)
    return Device(kind="gpu", name=details.get("device_name", gpu.name))
