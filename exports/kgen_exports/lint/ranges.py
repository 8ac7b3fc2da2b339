"""Whether activations that an export recorded fit into float16, which phone GPUs compute in."""

import math
from collections.abc import Iterator, Mapping

from kgen_exports.lint.report import Finding, finding_if

LARGEST = 65504.0
"""The largest finite number of IEEE 754 binary16."""

# A quarter of the range: the recording saw a few pictures, not all there are, and sums grow.
NEAR = 15_000.0


def check(peaks: Mapping[str, float]) -> Iterator[Finding]:
    """Yield what the largest activations mean on a device that computes in float16.

    Args:
        peaks: name of a layer or tensor -> its largest absolute value in float32.
    """
    found = sorted(peaks.items(), key=lambda item: -math.inf if math.isnan(item[1]) else -item[1])
    # Not `peak > LARGEST`, which NaN is not.
    over = [f"{name} ({peak:.4g})" for name, peak in found if not peak <= LARGEST]
    near = [f"{name} ({peak:.4g})" for name, peak in found if NEAR < peak <= LARGEST]
    yield from finding_if(
        over, "error", "fp16-range",
        f"activations exceed {LARGEST:.0f}, float16's largest number: on a GPU that computes in "
        "float16 they become infinite. Normalise before these layers, or demand float32",
    )  # fmt: skip
    yield from finding_if(
        near, "warning", "fp16-range",
        f"activations come within a factor 4 of {LARGEST:.0f}, float16's largest number: other "
        "inputs or a sum may overflow. Compare the GPU's pictures with the CPU's",
    )  # fmt: skip
