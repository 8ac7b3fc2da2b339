"""Starting a backend from the command line: quietly, and in the order that Keras needs."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "GLOG_minloglevel": "3"}


def start(
    *,
    backend_name: str | None,
    device: str,
    precision: str = "float32",
    deterministic: bool = False,
    seed: int = 0,
    devices: int | None = 1,
    join: Callable[[], None] | None = None,
    debug: bool = False,
) -> None:
    """Select the backend, import Keras and set up the device; nothing before this imports Keras.

    Args:
        backend_name: as :func:`kgen.backend.select` takes it, like `device` and `deterministic`.
        device: kind of device.
        precision: of the heavy layers.
        deterministic: same bits on every run.
        seed: of everything that is not given one.
        devices: over how many to spread models; None for all.
        join: called once Keras is imported, before it computes: connects several processes.
        debug: let notes of the backend through.

    Raises:
        KgenError: the backend is not installed, or the device is not there.
    """
    # importlib.metadata, on which this stands, is a tenth of the start of `kgen --help`.
    from kgen import backend

    name = backend.select(backend_name, device=device, deterministic=deterministic)
    backend.check_spread(name, devices)
    with nullcontext() if debug else hushed():
        from kgen.device import distribute, setup

        if join is not None:
            join()
        setup(device=device, precision=precision, deterministic=deterministic, seed=seed)
        distribute(devices)


@contextmanager
def hushed() -> Iterator[None]:
    """Keep start-up notes, logs and other packages' warnings off the terminal; errors still raise.

    Logs and warnings stay off afterwards; the process's stderr only while a backend is imported,
    since TensorFlow writes notes there from C++ before it has read any setting.
    """
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", module=r"kgen(_exports)?\b")
    warnings.showwarning = _show_warning
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def runtimes_hushed(debug: bool) -> Iterator[None]:
    """Keep what ONNX Runtime and LiteRT write to stderr from C++ off the terminal.

    Python's own stderr still shows: progress, notes, errors.
    """
    if debug:
        yield
        return
    sys.stderr.flush()
    shown, kept = sys.stderr, os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        if shown is sys.__stderr__:
            sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1)
        yield
    finally:
        if sys.stderr is not shown:
            sys.stderr.close()
            sys.stderr = shown
        os.dup2(kept, 2)
        os.close(kept)


def _show_warning(message: Warning | str, *_details: Any, **_more: Any) -> None:
    """Print one of kgen's own warnings on one line."""
    print("Warning:", " ".join(str(message).split()), file=sys.stderr)
