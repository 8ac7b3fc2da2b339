"""Settings that every test shares: no GPU, quiet libraries, a known backend, seeded draws."""

import os
import tempfile
from pathlib import Path

# A test run must not depend on what else the machine offers. To run on a GPU all the same, say
# which: CUDA_VISIBLE_DEVICES=0 leaves the choice of device to the backend.
if "CUDA_VISIBLE_DEVICES" not in os.environ:
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "KERAS_TORCH_DEVICE": "cpu",
    }
# Keras reads, and writes, a configuration in its home; tests know only its defaults.
_keras_home = tempfile.TemporaryDirectory(prefix="kgen-keras-")
os.environ["KERAS_HOME"] = _keras_home.name
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Many tests train the same small networks: JAX need not compile them anew, in any process.
_jax_cache = tempfile.TemporaryDirectory(prefix="kgen-jax-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _jax_cache.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Compiling is most of their time on JAX: the code may be slow.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# The suite's tensors are small: on a machine of many cores more threads only wait for each other.
_threads = str(min(4, os.cpu_count() or 1))
for _name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_name, _threads)

# Libraries read the environment when they are imported, and pytest's plugins may import them.
import pytest  # noqa: E402

ON_REQUEST = ("web", "webkit", "starters", "devices", "android")
"""Marks of tests that take more than Python's packages, or much time: see pyproject.toml."""


def pytest_collection_modifyitems(config, items):
    """Leave the tests that need more than Python to `pytest -m web` and the like."""
    unasked = [mark for mark in ON_REQUEST if mark not in config.option.markexpr]
    left = [item for item in items if any(map(item.get_closest_marker, unasked))]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


@pytest.fixture(autouse=True)
def _fresh_keras(request):
    """Give every backend test the same seeds, no leftovers of the one before, and float32."""
    if request.node.get_closest_marker("backend") is not None:
        import keras

        keras.utils.clear_session(free_memory=False)
        keras.config.set_dtype_policy("float32")
        keras.utils.set_random_seed(0)


@pytest.fixture
def workdir(tmp_path, monkeypatch) -> Path:
    """Work in an empty folder, so that `runs/` and other relative paths land there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def subprocess_env() -> dict[str, str]:
    """Return an environment for a fresh Python that imports this checkout, without a backend set.

    For what a process can do only once: import Keras on a backend, switch determinism on.
    """
    root = Path(__file__).resolve().parent.parent
    paths = [str(root / part) for part in (".", "cli", "exports")]
    env = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return env | {"PYTHONPATH": os.pathsep.join(paths)}
