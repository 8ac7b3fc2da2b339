"""What every number, curve and picture of an evaluation is called, and how to read it.

Three literal tables, :data:`VALUES`, :data:`SERIES` and :data:`PICTURES`, read by :func:`value`,
:func:`series` and :func:`pictures`. Pages, tables of the terminal and verdicts all take their
words from here.
"""

from collections.abc import Mapping
from typing import TypeVar

from kgen.errors import KgenError
from kgen.evaluation.report.entry import Entry, PictureEntry, SeriesEntry
from kgen.evaluation.report.readings import VALUES

SERIES: dict[str, SeriesEntry] = {
    "class_counts": SeriesEntry(
        label="Pictures of each class",
        reading="What the classifier takes the generated pictures for, beside as many real ones. A "
        "bar that is missing is a class that the model does not draw; even bars alone do not mean "
        "good pictures.",
    ),
    "eps_mse_by_t": SeriesEntry(
        label="Error of the predicted noise, by timestep",
        reading="Where the model is above the best linear denoiser, a matrix would do better than "
        "the network: train longer there, or weight these timesteps more. Large t is nearly pure "
        "noise.",
    ),
    "quality_by_steps": SeriesEntry(
        label="Quality by number of sampling steps",
        reading="Where the curve turns flat, more steps cost time and gain nothing.",
    ),
    "vlb_by_t": SeriesEntry(
        label="The variational bound, by timestep",
        reading="How many bits each timestep adds to the bound. Most of them are at small t, in "
        "details that no eye sees.",
    ),
    "latent_histogram": SeriesEntry(
        label="The latents of all pictures, beside N(0, 1)",
        reading="Pictures are drawn from N(0, 1). Where the two differ, the decoder is asked for "
        "latents that it never saw, and draws badly.",
    ),
    "latent_kl": SeriesEntry(
        label="What each latent carries",
        reading="Nats per picture. A latent near 0 is not used.",
    ),
    "reliability": SeriesEntry(
        label="What the discriminator says, and how often it is so",
        reading="On the diagonal, of the pictures called real with probability p a share p is "
        "real. A curve like a step is a discriminator that is sure of itself, and often wrong.",
    ),
}

PICTURES: dict[str, PictureEntry] = {
    "samples": PictureEntry(
        label="Samples",
        alt="generated pictures, side by side.",
        reading="Not chosen: the first ones of the seed.",
        columns=8,
    ),
    "closest": PictureEntry(
        label="Closest pairs",
        alt="generated pictures, and below each the training picture nearest to it.",
        reading="Upper rows: the samples that come nearest to a training picture. Lower rows: that "
        "training picture. Alike is normal; the same to the pixel is copied.",
        columns=8,
        pairs=True,
    ),
    "reconstructions": PictureEntry(
        label="Reconstructions",
        alt="real pictures, and below each what the model makes of it.",
        reading="Upper rows: held-out pictures. Lower rows: encoded and decoded. What is lost here "
        "no sample can have either.",
        columns=8,
        pairs=True,
    ),
    "interpolation": PictureEntry(
        label="From one latent to another",
        alt="pictures that change from left to right.",
        reading="Each row goes from one latent to another. Steps of even size are a latent space "
        "without holes; a sudden change is a border between modes.",
        columns=8,
    ),
    "trajectory": PictureEntry(
        label="From noise to picture",
        alt="pictures that come out of noise, from left to right.",
        reading="Each row is one picture on its way through the sampler.",
        columns=8,
    ),
    "steps": PictureEntry(
        label="The same noise with more and more steps",
        alt="pictures, each column of the same noise, drawn with more and more steps downwards.",
        reading="Each column has the same noise; the number of sampling steps grows from row to "
        "row.",
        columns=8,
    ),
}

Read = TypeVar("Read")


def value(name: str, extractor: str) -> Entry:
    """Say what a number is.

    Args:
        name: key of `Findings.values`.
        extractor: that its features come from; what is measured on them carries it in its label.

    Raises:
        KgenError: there is no such number.
    """
    return _read(VALUES, name, "value").named(extractor)


def series(name: str) -> SeriesEntry:
    """Say what a drawing shows.

    Raises:
        KgenError: there is no such drawing.
    """
    return _read(SERIES, name, "series")


def pictures(name: str) -> PictureEntry:
    """Say what a set of pictures shows, and how to lay it out.

    Raises:
        KgenError: there is no such set.
    """
    return _read(PICTURES, name, "pictures")


def _read(table: Mapping[str, Read], name: str, kind: str) -> Read:
    if name not in table:
        raise KgenError(
            f"An evaluation's {kind} are {', '.join(table)}. Received: name={name!r}. Update kgen, "
            "or evaluate again."
        )
    return table[name]
