"""Write the pictures that ship inside kgen: 2,000 of Fashion-MNIST, 200 of each class.

Run once, on a machine with Debian's package dataset-fashion-mnist:

    python scripts/make_embedded.py [--source FOLDER] [--check]

The file is the same on every run; ``--check`` writes nothing and compares. NumPy writes fixed time
stamps, so the bytes depend only on the pictures and on zlib.
"""

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np

from kgen.data.idx import load_idx
from kgen.data.named import DEBIAN_FASHION_MNIST, EMBEDDED_FILE, EMBEDDED_SHA256

PER_CLASS = 200


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Choose the first pictures of each class, in the order of the whole.

    The training set is shuffled already, so the first are as good as any.

    Args:
        labels: int (N,), class numbers.
        per_class: how many of each.

    Returns:
        int64 (classes * per_class,), ascending.
    """
    of_each = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(of_each))


def encode(images: np.ndarray, labels: np.ndarray, train_index: np.ndarray) -> bytes:
    """Return the bytes of the `.npz`.

    Args:
        images: uint8 (N, 28, 28).
        labels: class numbers (N,).
        train_index: (N,), where each picture is in Fashion-MNIST's training set, so that
            an evaluation can leave these out.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=images,
        labels=labels.astype(np.uint8),
        train_index=train_index.astype(np.int32),
    )
    return buffer.getvalue()


def main() -> None:
    """Read Fashion-MNIST, choose, write or compare."""
    parser = argparse.ArgumentParser(description="Write the pictures that ship inside kgen.")
    parser.add_argument("--source", type=Path, default=DEBIAN_FASHION_MNIST)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    arrays = load_idx(arguments.source, "train")
    if arrays is None or arrays[1] is None:
        raise SystemExit(f"There is no Fashion-MNIST in {arguments.source}.")
    images, labels = arrays[0], arrays[1]
    index = choose(labels, PER_CLASS)
    content = encode(images[index], labels[index], index)
    digest = hashlib.sha256(content).hexdigest()
    if arguments.check:
        if digest != EMBEDDED_SHA256:
            raise SystemExit(f"Expected {EMBEDDED_SHA256}. Received: {digest}.")
    else:
        EMBEDDED_FILE.parent.mkdir(exist_ok=True)
        EMBEDDED_FILE.write_bytes(content)
    print(f"{digest}  {EMBEDDED_FILE.name}  {len(content):,} bytes")


if __name__ == "__main__":
    main()
