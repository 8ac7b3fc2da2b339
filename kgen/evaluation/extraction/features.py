"""What an extractor sees in a set of pictures: all that numbers about distributions look at."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Features:
    """What an extractor sees in n pictures.

    Attributes:
        features: float32 (n, d).
        logits: float32 (n, classes) of the classifier, or None where there are no classes.
    """

    features: np.ndarray
    logits: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)
