"""What the catalogue says of one number, one drawing, one set of pictures."""

from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["lower", "higher", "near", "neither"]
Noise = Literal["relative", "deviation", "none"]
Group = Literal["quality", "diversity", "memory", "likelihood", "latents", "denoiser", "players"]

GROUPS: dict[Group, str] = {
    "quality": "Quality",
    "diversity": "Diversity",
    "memory": "Memorisation",
    "likelihood": "Likelihood and reconstruction",
    "latents": "Latents",
    "denoiser": "Denoiser",
    "players": "Generator and discriminator",
}
"""Headings, in the order of reading."""

SIGNS = {"lower": "lower", "higher": "higher", "near": "near {target:g}", "neither": "neither"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a number is, and how to read it.

    Attributes:
        label: short name; ``{extractor}`` stands for the extractor's.
        group: where it stands in a table.
        unit: what it is counted in, or empty.
        better: which way is better; ``near``: near to `target`; ``neither``: it is something to
            compare with, or to know.
        target: the best there is, where it lies between.
        form: a format specification, such as ``.2f``.
        noise: what a difference must exceed to mean something: ``relative``, a share of the number
            and its standard deviations; ``deviation``, these alone, since the number's zero is
            arbitrary, as that of a logarithm; ``none``, where it is counted and not estimated.
        of_features: whether it depends on the extractor, and on the number of pictures.
        of_samples: whether it depends on the number of pictures, though not on the extractor.
        of_data: whether it depends on the data.
        reading: what it says, in plain words.
        caveat: what it does not say.
        source: paper and equation.
        bar: what `Value.bar` is the number of.
    """

    label: str
    group: Group
    better: Better
    form: str
    reading: str
    caveat: str
    source: str
    unit: str = ""
    target: float | None = None
    noise: Noise = "relative"
    of_features: bool = False
    of_samples: bool = False
    of_data: bool = True
    bar: str = "the Gaussian generator"

    def named(self, extractor: str) -> "Entry":
        """Put the extractor's name into the label."""
        return replace(self, label=self.label.replace("{extractor}", extractor))

    @property
    def direction(self) -> str:
        """Which way is better, in a word or two."""
        return SIGNS[self.better].format(target=self.target)

    def write(self, number: float) -> str:
        """Write a number with as many digits as it deserves."""
        return format(number, self.form).replace("%", "\u00a0%")

    def badness(self, number: float) -> float:
        """Return how bad a number is: 0 or less is as good as can be for `near`."""
        if self.better == "near" and self.target is not None:
            return abs(number - self.target)
        return -number if self.better == "higher" else number


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesEntry:
    """What a drawing shows: its heading, and how to read it."""

    label: str
    reading: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureEntry:
    """What a set of pictures shows.

    Attributes:
        label: heading.
        alt: for those who cannot see it, after the number of pictures.
        reading: how to look at it.
        columns: pictures in a row.
        pairs: whether every two pictures belong together, and are shown one above the other.
    """

    label: str
    alt: str
    reading: str
    columns: int
    pairs: bool = False
