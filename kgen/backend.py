"""Choose the Keras backend before Keras is imported, without importing Keras.

Keras fixes its backend at ``import keras`` and the backends read their environment once, so
everything that has to be said early is said in :func:`select`.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata

from kgen.config import BACKENDS
from kgen.errors import KgenError

# Fastest first. On a CPU, TensorFlow's and PyTorch's oneDNN convolutions train several times as
# fast as XLA's (benchmarks/train.py). On a GPU kgen has not measured, and keeps the order.
_FASTEST_FIRST = ("tensorflow", "torch", "jax")

# The distributions that bring each backend's module, the usual one first.
_DISTRIBUTIONS = {
    "jax": ("jax",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"),
    "torch": ("torch",),
}

# Distributions without which a backend's Linux build finds no GPU of its own accord.
_CUDA_PARTS = {
    "jax": ("jax-cuda12-plugin", "jax-cuda13-plugin"),
    "tensorflow": ("nvidia-cudnn-cu12",),
}


def select(name: str | None = None, *, device: str = "auto", deterministic: bool = False) -> str:
    """Make Keras use a backend, and give that backend the environment it needs.

    Call it before anything imports Keras; calling it again with the same name is harmless.

    Args:
        name: ``jax``, ``tensorflow`` or ``torch``; None takes ``KERAS_BACKEND`` if that is set,
            else :func:`default`.
        device: ``auto``, ``cpu`` or ``gpu``, as given to :func:`kgen.device.setup` later.
        deterministic: whether :func:`kgen.device.setup` will ask for deterministic kernels.

    Returns:
        The backend selected.

    Raises:
        KgenError: the name is unknown, the backend is not installed, or Keras is already imported
            with another one.
    """
    name = name or os.environ.get("KERAS_BACKEND") or default(device)
    if name not in BACKENDS:
        raise KgenError(
            f"backend takes one of {', '.join(BACKENDS)}. Received: backend={name!r}. "
            "Check --backend and the environment variable KERAS_BACKEND."
        )
    loaded = current()
    if loaded is not None and loaded != name:
        raise KgenError(
            f"backend={name!r} was asked for, but Keras is already imported with {loaded!r}, "
            "and cannot change. Select the backend first, or start a new process."
        )
    if installed()[name] is None:
        raise KgenError(_how_to_install(name))
    os.environ["KERAS_BACKEND"] = name
    for key, value in environment(name, device, deterministic, os.environ).items():
        os.environ[key] = value
    return name


def current() -> str | None:
    """Return the backend that Keras was imported with, or None if it is not imported."""
    keras = sys.modules.get("keras")
    return None if keras is None else keras.config.backend()


def installed() -> dict[str, str | None]:
    """Map each backend to its installed version, or to None; imports none of them."""
    return {name: _version(_DISTRIBUTIONS[name]) for name in BACKENDS}


def default(device: str = "auto") -> str:
    """Return the fastest installed backend.

    With ``device="gpu"``, or ``"auto"`` where an NVIDIA driver is seen, backends whose installed
    build can use a GPU go first: the fastest on a CPU is no use there if it leaves the GPU idle.

    Raises:
        KgenError: no backend is installed.
    """
    versions = installed()
    present = [name for name in _FASTEST_FIRST if versions[name] is not None]
    if not present:
        raise KgenError(
            f"Expected one of {', '.join(BACKENDS)} to be installed. Received: none of them. "
            "Install one: pip install tensorflow"
        )
    if device == "gpu" or (device == "auto" and _sees_nvidia(os.environ)):
        return next((name for name in present if _built_for_gpu(name)), present[0])
    return present[0]


def check_spread(name: str, devices: int | None = 1, processes: int = 1) -> None:
    """Refuse to spread a computation on a backend that computes on one device.

    Keras distributes on JAX only: on TensorFlow its distribution does nothing, on PyTorch it has
    none.

    Args:
        name: a backend.
        devices: of each process; None for all that there are.
        processes: that compute together.

    Raises:
        KgenError: it is more than one, and the backend is not JAX.
    """
    if name == "jax" or (devices == 1 and processes == 1):
        return
    received = f"devices={'all' if devices is None else devices}, processes={processes}"
    # Where a launcher said that there are several, the user may not know.
    alone = ", or --num-processes 1 to compute alone" if processes > 1 else ""
    raise KgenError(
        f"backend={name!r} computes on one device in one process. Received: {received}. "
        f"Use --backend jax for more{alone}."
    )


def environment(
    name: str, device: str, deterministic: bool, present: Mapping[str, str]
) -> dict[str, str]:
    """List the environment variables a backend must find when it is imported.

    What the user has set is kept, except where it contradicts ``device`` or ``deterministic``.

    Args:
        name: a backend.
        device: ``auto``, ``cpu`` or ``gpu``.
        deterministic: whether the same bits are wanted on every run.
        present: the environment so far.

    Returns:
        Variables to set, with their values.
    """
    defaults = {
        # 3: TensorFlow's start-up notes, and its complaint that a machine without a GPU has none,
        # are of no use to a user; its failures raise anyway. Who asks for a GPU sees its reasons.
        "TF_CPP_MIN_LOG_LEVEL": "1" if device == "gpu" else "3",
    }
    forced: dict[str, str] = {}
    if name == "jax":
        # JAX takes three quarters of a GPU's memory at once unless told not to.
        defaults["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if device == "cpu":
            forced["JAX_PLATFORMS"] = "cpu"
        if deterministic:
            flag = "--xla_gpu_deterministic_ops=true"
            others = [f for f in present.get("XLA_FLAGS", "").split() if f != flag]
            forced["XLA_FLAGS"] = " ".join([*others, flag])
    if name == "torch":
        if device == "cpu":
            forced["KERAS_TORCH_DEVICE"] = "cpu"
        if deterministic:
            # cuBLAS repeats its sums in the same order only with a workspace of fixed size.
            defaults["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    return forced | {key: value for key, value in defaults.items() if key not in present}


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Spare a block the import of TensorFlow where another backend computes.

    Keras imports it when it saves a model, only to ask whether what it saves is TensorFlow's own:
    two seconds, and notes from C++ on the terminal. Keras remembers the answer, that there is no
    TensorFlow; kgen itself can import it afterwards.
    """
    if current() == "tensorflow" or "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


def _version(distributions: tuple[str, ...]) -> str | None:
    """Return the version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _built_for_gpu(name: str) -> bool:
    """Tell from the installed distributions whether a backend can use an NVIDIA GPU."""
    if name == "torch":
        version = installed()[name]
        return version is not None and not version.endswith("+cpu")
    return _version(_CUDA_PARTS[name]) is not None


def _sees_nvidia(present: Mapping[str, str]) -> bool:
    """Tell whether this machine has an NVIDIA driver whose GPUs are not hidden."""
    hidden = present.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and shutil.which("nvidia-smi") is not None


def _how_to_install(name: str) -> str:
    """Say that a backend is missing, which are there, and which pip line brings it."""
    there = [other for other, version in installed().items() if version is not None]
    line = "pip install tensorflow" if name == "tensorflow" else f"pip install 'kgen[{name}]'"
    return (
        f"backend={name!r} is not installed (installed: {', '.join(there) or 'none'}). "
        f"Install it: {line}"
    )
