"""The step engine on PyTorch: `torch.autograd.grad`."""

from collections.abc import Callable
from typing import Any

import keras
import torch
from torch.optim.adam import adam

from kgen.step.footprint import Footprint
from kgen.step.objective import Logs, Objective, part

FOOTPRINT = Footprint(program=63_000_000, layer=0, activations=2.0)


def train_step(model: Any, data: Any) -> Logs:
    """Run one training step; Keras's signature on this backend."""
    return model.update(data)


def test_step(model: Any, data: Any) -> Logs:
    """Run one evaluation step; Keras's signature on this backend."""
    with torch.no_grad():
        return model.assess(data)


def stepper(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `train_step` on a batch of NumPy arrays; its logs are tensors."""
    model.make_train_function()
    return lambda batch: model.train_function([_tensors(batch)])


def tester(model: Any) -> Callable[[Any], Logs]:
    """Return a function that runs `test_step` on a batch of NumPy arrays; its logs are tensors."""
    model.make_test_function()
    return lambda batch: model.test_function([_tensors(batch)])


def _tensors(batch: Any) -> Any:
    """Put a batch on the device."""
    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)


def descend(model: Any, objective: Objective, batch: Any = (), parts: int = 1) -> Logs:
    """Move the objective's variables once along the gradient of its loss.

    `autograd.grad` rather than `backward`: it leaves no gradients behind on the variables that
    the loss only passes through (the discriminator's, in the generator's objective).
    """
    if parts == 1:
        gradients, logs = _gradients(objective, batch)
    else:
        gradients, logs = _accumulated(objective, batch, parts)
    with torch.no_grad():
        objective.optimizer.apply(gradients, objective.variables)
    return logs


def _gradients(objective: Objective, batch: Any) -> tuple[list[Any], Logs]:
    """Differentiate the loss of a batch."""
    loss, logs = objective.loss(*batch)
    scaled = objective.optimizer.scale_loss(loss)
    values = [variable.value for variable in objective.variables]
    gradients = torch.autograd.grad(scaled, values, materialize_grads=True, allow_unused=True)
    return list(gradients), {name: log.detach() for name, log in logs.items()}


def _accumulated(objective: Objective, batches: Any, parts: int) -> tuple[list[Any], Logs]:
    """Average the gradients and logs of the parts of a batch."""
    total = [torch.zeros_like(variable.value) for variable in objective.variables]
    logs: Logs = {}
    for index in range(parts):
        gradients, reported = _gradients(objective, part(batches, index))
        # Not onto the first part's own: a gradient may share its memory with another.
        torch._foreach_add_(total, gradients)  # pyright: ignore[reportPrivateImportUsage]
        logs = {name: logs.get(name, 0.0) + log for name, log in reported.items()}
    mean = torch._foreach_div(total, parts)  # pyright: ignore[reportPrivateImportUsage]
    return list(mean), {name: log / parts for name, log in logs.items()}


def average(pairs: list[tuple[Any, Any]], decay: Any) -> None:
    """Move each average towards its weight, by one call for all of them."""
    with torch.no_grad():
        weights, averages = ([v.value for v in variables] for variables in zip(*pairs, strict=True))
        torch._foreach_lerp_(averages, weights, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]


class Adam(keras.optimizers.Adam):
    """Keras's Adam, its state and its numbers, by PyTorch's fused kernel."""

    @torch.no_grad()
    def _backend_update_step(
        self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any
    ) -> None:
        """Move the variables once."""
        indices = [self._get_variable_index(variable) for variable in trainable_variables]
        step = self.iterations.value + 1.0
        corrections = torch.sqrt(1.0 - self.beta_2**step), 1.0 - self.beta_1**step
        rate = keras.ops.convert_to_tensor(learning_rate) * corrections[0] / corrections[1]
        # The kernel corrects before it adds epsilon, Keras after; at step "infinity" the kernel's
        # own corrections are 1, and those of the rate above are Keras's.
        never = torch.full((), 1e9, device=rate.device)
        adam(
            [variable.value for variable in trainable_variables],
            # The kernel reads memory in order, whatever the strides of a convolution's gradient.
            [gradient.contiguous() for gradient in grads],
            [self._momentums[index].value for index in indices],
            [self._velocities[index].value for index in indices],
            [],
            [never] * len(indices),
            fused=True,
            amsgrad=False,
            beta1=self.beta_1,
            beta2=self.beta_2,
            lr=rate,
            weight_decay=0.0,
            eps=self.epsilon,
            maximize=False,
        )

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Clip by the global norm in one call; Keras's own takes several per gradient."""
        if not self.global_clipnorm:
            return super()._clip_gradients(grads)
        norm = torch.nn.utils.get_total_norm(grads)
        factor = self.global_clipnorm / torch.clamp(norm, min=self.global_clipnorm)
        return list(torch._foreach_mul(grads, factor))  # pyright: ignore[reportPrivateImportUsage]


def compiled(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function of tensors without recording gradients."""

    def run(*tensors: Any) -> Any:
        with torch.inference_mode():
            return function(*tensors)

    return run


def synchronise(model: Any) -> None:
    """Do nothing: variables are always up to date on this backend."""
