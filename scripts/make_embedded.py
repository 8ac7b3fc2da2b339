"""Write the pictures that ship inside kgen: 2 x 2,000 of Fashion-MNIST, 200 of each class.

One file is from its training set, to learn from; the other from its test set, to compare with.

Run once, on a machine with Debian's package dataset-fashion-mnist:

    python scripts/make_embedded.py [--source FOLDER] [--check]

The files are the same on every run; ``--check`` writes nothing and compares. NumPy writes fixed
time stamps, so the bytes depend only on the pictures and on zlib.
"""

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np

from kgen.data.idx import load_idx
from kgen.data.named import DEBIAN_FASHION_MNIST, EMBEDDED_FILES, EMBEDDED_SHA256

PER_CLASS = 200


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Choose the first pictures of each class, in the order of the whole.

    Both sets are shuffled already, so the first are as good as any.

    Args:
        labels: int (N,), class numbers.
        per_class: how many of each.

    Returns:
        int64 (classes * per_class,), ascending.
    """
    of_each = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(of_each))


def encode(images: np.ndarray, labels: np.ndarray, index: np.ndarray, split: str) -> bytes:
    """Return the bytes of the `.npz`.

    Args:
        images: uint8 (N, 28, 28).
        labels: class numbers (N,).
        index: (N,), where each picture is in Fashion-MNIST's `split`.
        split: ``train`` or ``test``.
    """
    buffer = io.BytesIO()
    arrays = {"images": images, "labels": labels.astype(np.uint8)}
    arrays[f"{split}_index"] = index.astype(np.int32)
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def main() -> None:
    """Read Fashion-MNIST, choose, write or compare."""
    parser = argparse.ArgumentParser(description="Write the pictures that ship inside kgen.")
    parser.add_argument("--source", type=Path, default=DEBIAN_FASHION_MNIST)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    for split, path in EMBEDDED_FILES.items():
        arrays = load_idx(arguments.source, split)
        if arrays is None or arrays[1] is None:
            raise SystemExit(f"There is no Fashion-MNIST in {arguments.source}.")
        images, labels = arrays[0], arrays[1]
        index = choose(labels, PER_CLASS)
        content = encode(images[index], labels[index], index, split)
        digest = hashlib.sha256(content).hexdigest()
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        elif digest != EMBEDDED_SHA256[split]:
            raise SystemExit(f"Expected {EMBEDDED_SHA256[split]}. Received: {digest}.")
        print(f"{digest}  {path.name}  {len(content):,} bytes")


if __name__ == "__main__":
    main()
