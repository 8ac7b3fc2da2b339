"""The step engine on PyTorch: `torch.autograd.grad`."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import torch

from kgen.step._torch_record import Recorder, tensors
from kgen.step.footprint import Footprint
from kgen.step.objective import Logs, Objective, part

FOOTPRINT = Footprint(program=13_000_000, layer=250_000, half=0.0, matrix=200_000, activations=1.36)


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
    """Move the objective's variables once along the gradient of its loss."""
    gradient = _gradient(model, objective)
    with torch.no_grad():
        if parts == 1:
            gradients, logs = gradient(batch)
        else:
            gradients, logs = _accumulated(gradient, objective, batch, parts)
        objective.optimizer.apply(gradients, objective.variables)
    return logs


class _Gradient:
    """Computes gradients and logs of a batch, and assigns what the loss assigns.

    As on JAX, the loss is computed inside a stateless scope: as a function of the values of all
    variables, which can be recorded.
    """

    def __init__(self, model: Any, objective: Objective):
        self.objective = objective
        ids = {id(variable) for variable in objective.variables}
        fixed = [v for v in model.variables if id(v) not in ids] + objective.optimizer.variables
        self.variables = [*objective.variables, *fixed]
        self.recorder = Recorder(self.compute, self.variables)

    def __call__(self, batch: Any) -> tuple[list[Any], Logs]:
        """Return the gradients and the logs of a batch."""
        if self.objective.name is None:
            gradients, logs, assigned = self.compute(tensors(self.variables), batch)
        else:
            gradients, logs, assigned = self.recorder(batch)
        _assign(self.variables, assigned)
        return gradients, logs

    def compute(self, values: list[Any], batch: Any) -> tuple[list[Any], Logs, dict[int, Any]]:
        """Compute gradients, logs, and the new values of variables, by their places.

        `autograd.grad` rather than `backward`: it leaves no gradients behind on the variables that
        the loss only passes through (the discriminator's, in the generator's objective).
        """
        count, optimizer = len(self.objective.variables), self.objective.optimizer
        with torch.enable_grad():
            moving = [value.detach().requires_grad_() for value in values[:count]]
            inside = [*moving, *values[count:]]
            pairs = list(zip(self.variables, inside, strict=True))
            with keras.StatelessScope(state_mapping=pairs) as scope:
                loss, logs = self.objective.loss(*batch)
                scaled = optimizer.scale_loss(loss)
            gradients = torch.autograd.grad(
                scaled, moving, materialize_grads=True, allow_unused=True
            )
        assigned = _assigned(scope, self.variables, inside)
        return list(gradients), {name: log.detach() for name, log in logs.items()}, assigned


def _assigned(scope: Any, variables: list[Any], values: list[Any]) -> dict[int, Any]:
    """Return what was assigned in a scope that gave variables these values, by their places."""
    after = [scope.get_current_value(variable) for variable in variables]
    return {i: a.detach() for i, a in enumerate(after) if a is not values[i]}


def _assign(variables: list[Any], values: dict[int, Any]) -> None:
    """Assign to variables, by their places, in one call for all of them."""
    if values:
        targets = tensors([variables[i] for i in values])
        torch._foreach_copy_(targets, list(values.values()))  # pyright: ignore[reportPrivateImportUsage]


class _Gradients:
    """The gradients of a model's objectives by name; Keras would copy a dict."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Gradient] = {}


def _gradient(model: Any, objective: Objective) -> _Gradient:
    """Return the gradient of an objective; one with a name is made once for each optimizer."""
    if objective.name is None:
        return _Gradient(model, objective)
    if not hasattr(model, "gradients"):
        model.gradients = _Gradients()
    known = model.gradients.by_name
    made = known.get(objective.name)
    # A model that was compiled again has another optimizer, and maybe other variables to move.
    if made is None or made.objective.optimizer is not objective.optimizer:
        made = known[objective.name] = _Gradient(model, objective)
    return made


def _accumulated(
    gradient: _Gradient, objective: Objective, batches: Any, parts: int
) -> tuple[list[Any], Logs]:
    """Average the gradients and logs of the parts of a batch."""
    total = [torch.zeros_like(tensor) for tensor in tensors(objective.variables)]
    logs: Logs = {}
    for index in range(parts):
        gradients, reported = gradient(part(batches, index))
        # Not onto the first part's own: a gradient may share its memory with another.
        torch._foreach_add_(total, gradients)  # pyright: ignore[reportPrivateImportUsage]
        logs = {name: logs.get(name, 0.0) + log for name, log in reported.items()}
    mean = torch._foreach_div(total, parts)  # pyright: ignore[reportPrivateImportUsage]
    return list(mean), {name: log / parts for name, log in logs.items()}


def two_at_a_time() -> bool:
    """Say no: PyTorch divides its operations among the cores well."""
    return False


def average(pairs: list[tuple[Any, Any]], decay: Any) -> None:
    """Move each average towards its weight, by one call for all of them."""
    with torch.no_grad():
        weights, averages = map(tensors, zip(*pairs, strict=True))
        torch._foreach_lerp_(averages, weights, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]


class Adam(keras.optimizers.Adam):
    """Keras's Adam, its state and its numbers, by PyTorch's fused kernel."""

    @cached_property
    def _schedule(self) -> Recorder:
        """The rate as the schedule's function of the number of updates: twenty small operations."""
        return Recorder(lambda values: self._learning_rate(values[0]), [self._iterations])

    def _get_current_learning_rate(self) -> Any:
        scheduled = isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule)
        return self._schedule() if scheduled else super()._get_current_learning_rate()

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
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            tensors(trainable_variables),
            # The kernel reads memory in order, whatever the strides of a convolution's gradient.
            [gradient.contiguous() for gradient in grads],
            tensors([self._momentums[index] for index in indices]),
            tensors([self._velocities[index] for index in indices]),
            [],
            [never] * len(indices),
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


def group_norm(x: Any, gamma: Any, beta: Any, groups: int, epsilon: float) -> Any:
    """Normalise pictures on a CPU: in 16 bits, too, with sums in 32, and a gradient of two passes.

    On a GPU the kernel copies pictures whose channels lie together into another order first.
    """
    if x.device.type != "cpu":
        return None
    channels_first = x.permute(0, 3, 1, 2)
    normal = torch.nn.functional.group_norm(channels_first, groups, gamma, beta, epsilon)
    return normal.permute(0, 2, 3, 1)


def batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any] | None:
    """Normalise a batch on a CPU, with a gradient of two passes.

    On a GPU the kernel was not tried.
    """
    if x.device.type != "cpu":
        return None
    y, mean, inverse = torch.native_batch_norm(
        x.movedim(-1, 1), gamma, beta, None, None, training=True, momentum=0.0, eps=epsilon
    )
    return y.movedim(1, -1), mean, torch.clamp_min(inverse**-2 - epsilon, 0.0)


def compiled(
    model: Any, function: Callable[..., Any], *, by_rows: bool = False
) -> Callable[..., Any]:
    """Record a function of tensors that reads the model's variables; it records no gradients."""
    return recorded(model.variables, function)


def recorded(variables: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Record a function of tensors that reads and assigns variables; it records no gradients."""

    def stateless(values: list[Any], *tensors: Any) -> Any:
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=pairs) as scope:
            returned = function(*tensors)
        return returned, _assigned(scope, variables, values)

    recorder = Recorder(stateless, variables)

    def run(*tensors: Any) -> Any:
        with torch.no_grad():
            returned, assigned = recorder(*tensors)
            _assign(variables, assigned)
        return returned

    return run


def synchronise(model: Any) -> None:
    """Do nothing: variables are always up to date on this backend."""
