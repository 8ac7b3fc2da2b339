"""Run a bundle: needs NumPy, Pillow and one of onnxruntime or ai-edge-litert, not Keras.

```python
from kgen_exports.runtime import load

bundle = load("out/")
images = bundle.generate(16, seed=7)  # uint8 (16, height, width, channels)
```
"""

from pathlib import Path

from kgen_exports.manifest import Manifest
from kgen_exports.runtime.bundle import Bundle

__all__ = ["Bundle", "load"]


def load(path: str | Path) -> Bundle:
    """Open the bundle in a folder; its files are opened when they are first used.

    Raises:
        KgenError: the folder is not a bundle, or of a newer kgen.
    """
    folder = Path(path)
    return Bundle(folder, Manifest.read(folder))
