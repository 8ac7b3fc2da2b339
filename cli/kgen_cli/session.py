"""Starting a backend from the command line: quietly, and in the order that Keras needs."""

import logging
import os
import sys
import warnings
from typing import Any

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "GLOG_minloglevel": "3"}


def start(
    *,
    backend_name: str | None,
    device: str,
    precision: str = "float32",
    deterministic: bool = False,
    seed: int = 0,
    debug: bool = False,
) -> None:
    """Select the backend, import Keras and set up the device; nothing before this imports Keras.

    Raises:
        KgenError: the backend is not installed, or the device is not there.
    """
    if not debug:
        hush()
    # importlib.metadata, on which this stands, is a tenth of the start of `kgen --help`.
    from kgen import backend

    backend.select(backend_name, device=device, deterministic=deterministic)
    from kgen.device import setup

    setup(device=device, precision=precision, deterministic=deterministic, seed=seed)


def hush() -> None:
    """Keep the backends' start-up notes and other packages' warnings off the terminal."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", module=r"kgen(_exports)?\b")
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_details: Any, **_more: Any) -> None:
    """Print one of kgen's own warnings on one line."""
    print("Warning:", " ".join(str(message).split()), file=sys.stderr)
