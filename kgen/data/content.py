"""A name for what is in a data set, by which results are kept."""

import hashlib

import numpy as np

from kgen.data.images import ImageSource

_BYTES = 2**24  # of pictures in memory at a time


def data_hash(images: ImageSource, labels: np.ndarray | None = None) -> str:
    """Name pictures and labels by what they are: equal names, equal data.

    Neither where the pictures lie nor how many are fetched at a time plays a part.

    Args:
        images: N pictures, which are read once, a few at a time.
        labels: integers (N,), or None where there are none.

    Returns:
        SHA-256 in 64 hexadecimal digits: of the shape, the pixels in C order, the labels.
    """
    digest = hashlib.sha256(repr((len(images), *images.shape, labels is not None)).encode())
    step = max(1, _BYTES // int(np.prod(images.shape)))
    for first in range(0, len(images), step):
        some = images.gather(np.arange(first, min(len(images), first + step)))
        digest.update(np.ascontiguousarray(some).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()
