"""Which extractor pictures are compared by."""

from kgen.errors import KgenError
from kgen.evaluation import EXTRACTORS
from kgen.evaluation.extraction import extractor
from kgen.evaluation.extraction.extractor import Extractor, Progress
from kgen.evaluation.extraction.own import own_extractor
from kgen.evaluation.reals import Reals
from kgen.files import cache_folder
from kgen.option import unknown_name

CLOTHES = ("embedded", "fashion_mnist")
"""Data that the pinned extractor is of."""


def extractor_for(name: str, reals: Reals, progress: Progress | None = None) -> Extractor:
    """Open an extractor for real pictures, or train one.

    Args:
        name: one of :data:`kgen.evaluation.EXTRACTORS`.
        reals: what it is for.
        progress: called with (steps done, steps in all) while it is trained.

    Raises:
        KgenError: the name is unknown, or the extractor takes pictures of another size.
    """
    if name not in EXTRACTORS:
        raise unknown_name("extractor", name, list(EXTRACTORS))
    shape = reals.train.images.shape
    fits = shape == (28, 28, 1)
    if name == "inception":
        from kgen.evaluation.extraction.inception import inception

        return inception(shape)
    if name == extractor.PINNED and not fits:
        raise KgenError(f"{name} takes pictures of 28 x 28 x 1. Received: {shape} of {reals.name}.")
    if name == extractor.PINNED or (fits and reals.name in CLOTHES):
        return extractor.pinned()
    return own_extractor(reals.train, cache_folder() / "extractors", progress=progress)
