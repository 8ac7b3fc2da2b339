"""How one objective is descended on the current backend: the engine under every `train_step`.

Keras has one `train_step` signature per backend. A model says *what* it minimises, in plain
stateful Keras code (:class:`Objective`); the engine of the current backend says *how*. This
package is the only place where the training of kgen names a backend.

Every engine has the same functions:

- ``train_step(model, ...)`` and ``test_step(model, ...)``: Keras's own signatures; they run
  ``model.update(data)`` and ``model.assess(data)``.
- ``descend(model, objective)``: one optimizer update; returns the objective's logs.
- ``compiled(model, function)``: the function, compiled for inference; it may read the model's
  variables and must not assign them.
- ``synchronise(model)``: bring the variables up to date in the middle of `fit`.
"""

import importlib
from types import ModuleType

import keras

from kgen.step.objective import Objective, OptimizerGroup

__all__ = ["Objective", "OptimizerGroup", "engine"]


def engine() -> ModuleType:
    """Return the engine of the current Keras backend.

    Raises:
        RuntimeError: the backend has none.
    """
    name = keras.backend.backend()
    if name not in ("jax", "tensorflow", "torch"):
        raise RuntimeError(
            f"kgen trains on the backends jax, tensorflow and torch. Received: backend={name!r}."
        )
    return importlib.import_module(f"kgen.step._{name}")
