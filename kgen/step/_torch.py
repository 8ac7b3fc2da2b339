"""The step engine on PyTorch: `torch.autograd.grad`."""

from collections.abc import Callable
from typing import Any

import torch

from kgen.step.objective import Logs, Objective


def train_step(model: Any, data: Any) -> Logs:
    """Run one training step; Keras's signature on this backend."""
    return model.update(data)


def test_step(model: Any, data: Any) -> Logs:
    """Run one evaluation step; Keras's signature on this backend."""
    with torch.no_grad():
        return model.assess(data)


def descend(model: Any, objective: Objective) -> Logs:
    """Move the objective's variables once along the gradient of its loss.

    `autograd.grad` rather than `backward`: it leaves no gradients behind on the variables that
    the loss only passes through (the discriminator's, in the generator's objective).
    """
    loss, logs = objective.loss()
    scaled = objective.optimizer.scale_loss(loss)
    values = [variable.value for variable in objective.variables]
    gradients = torch.autograd.grad(scaled, values, materialize_grads=True, allow_unused=True)
    with torch.no_grad():
        objective.optimizer.apply(list(gradients), objective.variables)
    return {name: log.detach() for name, log in logs.items()}


def compiled(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function of tensors without recording gradients."""

    def run(*tensors: Any) -> Any:
        with torch.inference_mode():
            return function(*tensors)

    return run


def synchronise(model: Any) -> None:
    """Do nothing: variables are always up to date on this backend."""
