"""The same networks in plain PyTorch: what one gets who uses neither Keras nor kgen.

``torch.nn`` modules with pictures as (batch, channels, height, width), autocast for bfloat16, the
fused Adam; the losses and the numbers of the recipe are kgen's. Weights are copied from a model of
kgen's, so that both start equal. One module for each network.

Every module has ``loop(model, recipe, setting)``, which returns a
:class:`benchmarks.plain.loop.Loop`.
"""

import importlib
from typing import Any

MODULES = {"gan": "gan", "vae": "vae", "vae-notes": "mlp", "ddpm": "ddpm"}
"""The cases of benchmarks/case.py that there is a plain network for."""


def build(case: str, model: Any, recipe: Any, setting: Any) -> Any:
    """Make the plain loop of a case, which trains a copy of a model's weights."""
    module = importlib.import_module(f"benchmarks.plain.{MODULES[case]}")
    return module.loop(model, recipe, setting)
