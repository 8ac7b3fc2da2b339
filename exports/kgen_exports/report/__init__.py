"""The report of an export: how close each file is to the model in Keras, to read and to look at.

``report.json`` holds the numbers, ``report.html`` the same with pictures, in one page that needs
nothing else: no network, no script.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kgen.files import write_text
from kgen_exports.manifest import Manifest
from kgen_exports.proof import Check
from kgen_exports.report.page import page
from kgen_exports.report.record import Record

HTML, JSON = "report.html", "report.json"


def write(
    folder: Path,
    manifest: Manifest,
    checks: Sequence[Check],
    golden: Mapping[str, np.ndarray],
    *,
    refused: Sequence[Check] = (),
) -> None:
    """Write `report.html` and `report.json` into a bundle's folder.

    Args:
        folder: the bundle's.
        manifest: of the files that are in it.
        checks: what was measured of these files.
        golden: the cases that they were measured on.
        refused: checks of files that did not pass and are not in the bundle.

    Raises:
        KgenError: the files cannot be written.
    """
    record = Record.of(manifest, [*checks, *refused])
    write_text(folder / JSON, json.dumps(record.to_mapping(), indent=2, allow_nan=False) + "\n")
    write_text(folder / HTML, page(record, golden))
