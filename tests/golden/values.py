"""The reference values that tests compare with, in float64.

`golden.json` holds closed forms, exact linear-Gaussian recursions and one-dimensional quadratures,
computed with NumPy and SciPy alone, each checked there by a second derivation (`self_checks`).
`golden_fashion.json` holds the same kind of numbers for the whole of Fashion-MNIST.
"""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent

GOLDEN: dict[str, Any] = json.loads((_FOLDER / "golden.json").read_text(encoding="utf-8"))
FASHION: dict[str, Any] = json.loads((_FOLDER / "golden_fashion.json").read_text(encoding="utf-8"))
