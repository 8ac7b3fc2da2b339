"""An exported bundle as something to evaluate: what a precision costs in quality."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgen.errors import KgenError
from kgen.evaluation.record import Target
from kgen.evaluation.source import Drawing, Progress
from kgen_exports.runtime.bundle import DRAWING_PART, Bundle


class BundleSource(Drawing):
    """The files of a bundle, run by one of the runtimes that devices have.

    Args:
        bundle: opened.
        precision: of the files: ``fp32``, ``fp16``, ``int8`` or ``int8-static``.
        options: of a ddpm's sampler, as for `DDPM.plan`, in place of the bundle's own.

    Raises:
        KgenError: the bundle has no file of that precision, or no such sampler.
    """

    def __init__(self, bundle: Bundle, precision: str = "fp32", options: Mapping[str, Any] = {}):
        manifest = bundle.manifest
        entry = bundle.entry(DRAWING_PART[manifest.kind], precision)
        steps = _steps(bundle, options)
        table = bundle.sampler(**steps)
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
        self._bundle, self._precision, self._steps = bundle, precision, steps

    def lot(self, count: int, seed: int, progress: Progress) -> np.ndarray:
        """Draw with the file."""
        return self._bundle.generate(
            count, seed=seed, precision=self._precision, progress=progress, **self._steps
        )


def _steps(bundle: Bundle, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of a bundle's steps and noise are replaced.

    Raises:
        KgenError: another sampler is asked for.
    """
    if (table := bundle.manifest.sampler) is not None:
        for name, own in (("sampler", table.name), ("variance", table.variance)):
            if options.get(name, own) != own:
                kept = " ".join(filter(None, (table.name, table.variance)))
                raise KgenError(
                    f"Exported files keep the sampler that they were exported with, {kept}: its "
                    f"steps and eta can be others. Received: --{name} {options[name]} for "
                    f"{bundle.path}."
                )
    return {name: options[name] for name in ("num_steps", "eta") if name in options}
