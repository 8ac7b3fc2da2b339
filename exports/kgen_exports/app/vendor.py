"""The runtimes' files in a site: where they lie, and the one line that had to change."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from kgen_exports.app.packages import LITERT, LITERT_UTILS, ORT

PLACES = {
    (ORT.name, "dist/ort.wasm.bundle.min.mjs"): "vendor/onnxruntime/ort.wasm.bundle.min.mjs",
    (ORT.name, "dist/ort-wasm-simd-threaded.wasm"): (
        "vendor/onnxruntime/ort-wasm-simd-threaded.wasm"
    ),
    (LITERT.name, "dist/index.js"): "vendor/litert/index.js",
    (LITERT.name, "wasm/litert_wasm_compat_internal.js"): (
        "vendor/litert/litert_wasm_compat_internal.js"
    ),
    (LITERT.name, "wasm/litert_wasm_compat_internal.wasm"): (
        "vendor/litert/litert_wasm_compat_internal.wasm"
    ),
    (LITERT_UTILS.name, "dist/index.js"): "vendor/litert/wasm-utils.js",
}
"""Where a file is in a site, by its package and its path there."""
IMPORTS_A_NAME = PLACES[LITERT.name, "dist/index.js"]
NAMED, RELATIVE = ' from "@litertjs/wasm-utils";', ' from "./wasm-utils.js";'
"""A browser resolves names only by a table in the page, which a strict policy forbids."""
NOTICE = (
    '// Modified by kgen: imports "./wasm-utils.js" instead of "@litertjs/wasm-utils".\n'
    "// Otherwise as published in @litertjs/core; Apache License 2.0, see LICENSES.txt.\n"
)


def copy(files: Mapping[tuple[str, str], Path], folder: Path) -> None:
    """Copy the runtimes into a site.

    Args:
        files: of :func:`kgen_exports.app.packages.fetch`.
        folder: of the site.
    """
    for key, source in files.items():
        target = folder / PLACES[key]
        target.parent.mkdir(parents=True, exist_ok=True)
        if PLACES[key] != IMPORTS_A_NAME:
            shutil.copyfile(source, target)
            continue
        text = source.read_text(encoding="utf-8")
        if text.count(NAMED) != 1:
            raise ValueError(f"{source} imports{NAMED} once. Received: {text.count(NAMED)}.")
        target.write_text(NOTICE + text.replace(NAMED, RELATIVE), encoding="utf-8")
