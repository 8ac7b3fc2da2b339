"""An exported bundle as something to evaluate: what a precision costs in quality."""

import numpy as np

from kgen.evaluation.record import Target
from kgen.evaluation.source import Drawing, Progress
from kgen_exports.runtime.bundle import DRAWING_PART, Bundle


class BundleSource(Drawing):
    """The files of a bundle, run by one of the runtimes that devices have.

    Args:
        bundle: opened.
        precision: of the files: ``fp32``, ``fp16``, ``int8`` or ``int8-static``.
        num_steps: network calls of a ddpm for a picture; None is the bundle's own number.

    Raises:
        KgenError: the bundle has no file of that precision.
    """

    def __init__(self, bundle: Bundle, precision: str = "fp32", num_steps: int | None = None):
        manifest = bundle.manifest
        entry = bundle.entry(DRAWING_PART[manifest.kind], precision)
        table = bundle.sampler(num_steps)
        super().__init__(
            Target(
                name=manifest.training.get("run") or bundle.path.resolve().name,
                kind="bundle",
                family=manifest.kind,
                path=str(bundle.path),
                precision=precision,
                sampler=f"{table.name} eta={table.eta:g}, {table.num_steps} steps"
                if table
                else None,
                bytes=entry.bytes,
            ),
            bundle.image_shape,
            f"{entry.sha256} {table}",
        )
        self._bundle, self._precision, self._num_steps = bundle, precision, num_steps

    def lot(self, count: int, seed: int, progress: Progress) -> np.ndarray:
        """Draw with the file."""
        return self._bundle.generate(
            count, seed=seed, precision=self._precision, num_steps=self._num_steps,
            progress=progress,
        )  # fmt: skip
