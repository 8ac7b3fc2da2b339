"""What an extractor saw in pictures that do not depend on what is evaluated, kept for next time."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from kgen import __version__ as version
from kgen.errors import KgenError
from kgen.evaluation.extraction.extractor import Extractor
from kgen.evaluation.extraction.features import Features
from kgen.files import cache_folder, replacing


def kept(extractor: Extractor, facts: Sequence[object], look: Callable[[], Features]) -> Features:
    """Return what an extractor sees in some pictures: from a file, or by looking.

    A small extractor looks faster than a file is worth. What a large one sees (`is_slow`) is kept
    in kgen's cache folder, under ``features``; a file that is damaged is made again.

    Args:
        extractor: what looks.
        facts: what the pictures depend on, as JSON has it.
        look: look at them.
    """
    if not extractor.is_slow:
        return look()
    whole = json.dumps([version, extractor.sha256, *facts]).encode()
    path = cache_folder() / "features" / f"{hashlib.sha256(whole).hexdigest()[:32]}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _read(path)
    seen = look()
    # A full disk must not cost what has just taken many minutes.
    with suppress(KgenError), replacing(path) as temporary:
        _write(temporary, seen)
    return seen


def _read(path: Path) -> Features:
    # NumPy would leave a file open that it opened itself and cannot read.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        logits = arrays["logits"] if "logits" in arrays.files else None
        return Features(features=arrays["features"], logits=logits)


def _write(path: Path, seen: Features) -> None:
    logits = {} if seen.logits is None else {"logits": seen.logits}
    np.savez(path, features=seen.features, **logits)  # type: ignore[arg-type]
