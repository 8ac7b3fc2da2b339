"""Train the extractor that ships inside kgen: a classifier of Fashion-MNIST.

Run once, on a machine with Debian's package dataset-fashion-mnist:

    python scripts/make_extractor.py [--source FOLDER] [--check]

It learns from the first 50,000 training pictures; the last 10,000 are left for choosing and for
the floor, the test set for evaluation. One thread and deterministic kernels of TensorFlow make the
file the same on every run of one machine; another processor rounds otherwise, which is why the
file is kept and not made anew. ``--check`` writes nothing and compares.
"""

import argparse
import hashlib
import os
from pathlib import Path

os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import numpy as np

from kgen import backend

SEED = 0
TRAIN = 50_000


def main() -> None:
    """Read Fashion-MNIST, train, say how good it is, write or compare."""
    parser = argparse.ArgumentParser(description="Train the extractor that ships inside kgen.")
    parser.add_argument("--source", type=Path, default="fashion_mnist", help="IDX folder")
    parser.add_argument("--seed", type=int, default=SEED, help="of weights and dropout")
    parser.add_argument("--out", type=Path, help="write here instead of into kgen")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    backend.select("tensorflow", device="cpu")
    from kgen import data, device
    from kgen.evaluation.extraction import extractor

    device.setup(device="cpu", deterministic=True, seed=arguments.seed)
    whole = data.load(arguments.source)
    model = extractor.lenet(whole.images.shape, 10)
    extractor.fit(model, whole.subset(np.arange(TRAIN)), seed=arguments.seed)
    content = extractor.encode(model)
    digest = hashlib.sha256(content).hexdigest()
    unseen = whole.subset(np.arange(TRAIN, len(whole)))
    parts = {"unseen train": unseen, "test": data.load(arguments.source, split="test")}
    for name, part in parts.items():
        images, labels = part.images.gather(np.arange(len(part))), part.labels
        guesses = model.predict(images, batch_size=500, verbose=0)["logits"].argmax(1)
        print(f"{name}: accuracy {np.mean(guesses == labels):.4f}")
    print(f"{digest}  {len(content):,} bytes")
    if arguments.check:
        if digest != extractor.PINNED_SHA256:
            raise SystemExit(f"Expected {extractor.PINNED_SHA256}.")
        return
    path = arguments.out or extractor.PINNED_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
