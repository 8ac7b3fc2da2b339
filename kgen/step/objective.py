"""What a model minimises: a loss, the variables it moves, the optimizer that moves them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

Logs = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One minimisation problem inside a training step.

    Attributes:
        loss: computes (loss, logs) of a batch, whose tensors are its arguments: a float32 scalar to
            minimise, and named float32 scalars to report. It is stateful Keras code: it may draw
            from seed generators and update the moving averages of normalisation layers. All are
            means over the batch, so that the mean over equal parts of a batch is that of the whole.
        variables: the variables that this objective moves; all others stay.
        optimizer: built on exactly these variables.
        name: says that the loss is the same function in every step, which depends on nothing but
            its arguments and the model's variables; no two of a step have one name. An engine that
            does not compile a step then need not find out anew what its loss does.
        independent: says that no picture's loss depends on another's, as batch norm would have it,
            and that the loss assigns nothing. An engine may then compute parts of a batch at the
            same time.
    """

    loss: Callable[..., tuple[Any, Logs]]
    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    name: str | None = None
    independent: bool = False


def part(batches: Any, index: Any) -> Any:
    """Take one part of a batch whose tensors lie in parts along their first axis."""
    return keras.tree.map_structure(lambda b: None if b is None else b[index], batches)


class OptimizerGroup(keras.optimizers.Optimizer):
    """Carries several optimizers in Keras's one optimizer slot.

    JAX's training state has room for `model.optimizer.variables` only; the group's variables are
    its members' variables in order. Members are built here, before any step is compiled, and each
    is applied by its own :class:`Objective`; the group itself never is.

    Args:
        members: optimizer of each part by name, in a fixed order.
        variables: the variables of each part, by the same names.

    Under the `mixed_float16` policy each member is wrapped for loss scaling.
    """

    def __init__(
        self,
        members: dict[str, keras.optimizers.Optimizer],
        variables: dict[str, list[keras.Variable]],
    ):
        super().__init__(learning_rate=0.0, name="optimizer_group")
        scaled = keras.config.dtype_policy().name == "mixed_float16"
        self.members = {
            name: keras.optimizers.LossScaleOptimizer(member) if scaled else member
            for name, member in members.items()
        }
        for name, member in self.members.items():
            member.build(variables[name])

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables of all members, in the members' order."""
        return [variable for member in self.members.values() for variable in member.variables]

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """Let each member finish what it postponed to the end of training."""
        for member in self.members.values():
            own = getattr(member, "inner_optimizer", member)
            own.finalize_variable_values(own._trainable_variables)
