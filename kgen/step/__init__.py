"""How one objective is descended on the current backend: the engine under every `train_step`.

Keras has one `train_step` signature per backend. A model says *what* it minimises, in plain
stateful Keras code (:class:`Objective`); the engine of the current backend says *how*. This
package is the only place where the training of kgen names a backend.

Every engine has the same functions:

- ``train_step(model, ...)`` and ``test_step(model, ...)``: Keras's own signatures; they run
  ``model.update(data)`` and ``model.assess(data)``.
- ``stepper(model)``: the `train_step`, compiled as `fit` compiles it, as a function of a batch;
  nothing waits for its logs.
- ``tester(model)``: the same for `test_step`.
- ``descend(model, objective, batch, parts)``: one optimizer update by a batch, the tuple of the
  loss's arguments; returns the objective's logs. With ``parts`` above 1 the batch lies in so many
  parts along a new first axis: their gradients are computed one after the other, in the memory of
  one, and averaged.
- ``two_at_a_time()``: whether an even batch of an objective that is ``independent`` is computed as
  two halves at the same time (:mod:`kgen.step.halves`).
- ``FOOTPRINT``: the memory that all of this takes.
- ``average(pairs, decay)``: move each average of (weight, average) towards its weight.
- ``Adam``: Keras's optimizer by the backend's fastest kernel; same state, same numbers.
- ``group_norm(x, gamma, beta, groups, epsilon)``: what :class:`kgen.layers.norm.GroupNorm` does
  without modulation, by a kernel of the backend; None where there is none that is faster.
- ``batch_norm(x, gamma, beta, epsilon)``: what :class:`kgen.layers.norm.BatchNormalization` does in
  training, by a kernel; returns (y, mean, variance) of float32, or None in the same way.
- ``compiled(model, function, by_rows)``: the function, compiled for inference; it may read the
  model's variables and must not assign them. ``by_rows`` says that it makes n rows of n rows, each
  of its own: an engine may then compute some of them beside others.
- ``recorded(variables, function)``: a function of tensors that reads and assigns these variables,
  and no others, to be called in a step.
- ``synchronise(model)``: bring the variables up to date in the middle of an epoch.
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
