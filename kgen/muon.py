"""Muon: momentum whose matrices are made orthogonal before each step (Jordan et al. 2024).

Adam divides each number of a gradient by its own usual size; a layer's matrix then moves along a
few directions that most pictures share. Muon moves it equally far along all of them: where the
momentum is U S V^T, the step is U V^T. Small diffusion models learned from a step what took Adam
nearly two (docs/quality.md, section 4).

Keras has a Muon too, which leaves the kernels of convolutions to Adam: nearly all of a U-Net.

> Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks",
> kellerjordan.github.io/posts/muon; Liu et al. (2025), "Muon is scalable for LLM training",
> section 2.2 · test `tests/core/test_muon.py`
"""

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import keras
from keras import ops

from kgen.step import engine

MOMENTUM = 0.95
"""How much of the past a step keeps, of a matrix (Jordan et al. 2024)."""
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that is applied to the singular values `ITERATIONS` times."""
LIKE_ADAM = 0.2
"""Root mean square of Adam's usual step in units of its rate (Liu et al. 2025, section 2.2)."""


def orthogonal(matrices: Any) -> Any:
    """Bring all singular values of matrices near 1, between about 0.7 and 1.2.

    The Newton-Schulz iteration of Jordan et al. (2024) X <- (a + b X X^T + c (X X^T)^2) X: products
    only, no decomposition. The factors are multiplied first, as all are polynomials in X X^T, whose
    sides are as long as the shorter ones of X: a third of the work for a 3x3 convolution's kernel.

    Args:
        matrices: float32 (n, rows, columns).

    Returns:
        float32 (n, rows, columns): U V^T of each matrix U S V^T, about.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = ops.swapaxes(matrices, -1, -2) if tall else matrices
    # No singular value is larger than the root of the sum of all squares.
    x = x / (ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
    gram = ops.matmul(x, ops.swapaxes(x, -1, -2))
    product = unit = ops.eye(x.shape[-2], dtype=x.dtype)
    for _ in range(ITERATIONS):
        factor = a * unit + b * gram + c * ops.matmul(gram, gram)
        product = ops.matmul(factor, product)
        gram = ops.matmul(ops.matmul(factor, gram), factor)
    x = ops.matmul(product, x)
    return ops.swapaxes(x, -1, -2) if tall else x


def is_matrix(variable: Any) -> bool:
    """Tell what Muon moves: kernels. Adam moves biases, norms and tables of vectors of classes."""
    return len(variable.shape) > 1 and "embedding" not in variable.path


class Muon(engine().Adam):
    """Adam for vectors, Muon for matrices; one rate is of both, by the size of a step.

    The kernel of a convolution (height, width, in, out) is the matrix (height * width * in, out):
    what it does to a patch. Takes Adam's arguments; `beta_1` and `beta_2` are of its part.
    """

    def build(self, variables: list[Any]) -> None:
        """Make the state: two averages of each vector, one of each matrix."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._velocities = [
            None if is_matrix(variable) else self.add_variable_from_reference(variable, "velocity")
            for variable in variables
        ]

    def _backend_update_step(
        self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any
    ) -> None:
        """Move the variables once."""
        pairs = list(zip(grads, trainable_variables, strict=True))
        vectors = [pair for pair in pairs if not is_matrix(pair[1])]
        if vectors:
            gradients, variables = map(list, zip(*vectors, strict=True))
            super()._backend_update_step(gradients, variables, learning_rate)
        gradients = [gradient for gradient, variable in pairs if is_matrix(variable)]
        self._move_matrices(gradients, ops.convert_to_tensor(learning_rate))

    @cached_property
    def _move_matrices(self) -> Callable[..., Any]:
        """Move all matrices once, given their gradients and the rate: hundreds of operations."""
        pairs = [
            (variable, momentum)
            for variable, momentum in zip(self._trainable_variables, self._momentums, strict=True)
            if is_matrix(variable)
        ]
        return engine().recorded([v for pair in pairs for v in pair], partial(_move, pairs))


def matrices(optimizer: keras.optimizers.Optimizer) -> int:
    """Count the matrices that an optimizer moves by Muon; it must be built."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling
    return sum(v is None for v in inner._velocities) if isinstance(inner, Muon) else 0


def _move(pairs: list[tuple[Any, Any]], gradients: list[Any], learning_rate: Any) -> None:
    """Move each (matrix, momentum), the matrices of one shape together."""
    by_shape: dict[tuple[int, int], list[Any]] = {}
    for (variable, momentum), gradient in zip(pairs, gradients, strict=True):
        sum_ = gradient + MOMENTUM * momentum
        momentum.assign(sum_)
        # Nesterov's: the momentum as it will be if the next gradient is this one again.
        step = gradient + MOMENTUM * sum_
        shape = _matrix_shape(variable)
        by_shape.setdefault(shape, []).append((variable, ops.reshape(step, shape)))
    for shape, members in by_shape.items():
        # Of a matrix whose singular values are 1, the root mean square is 1 / sqrt(max(shape)).
        size = LIKE_ADAM * max(shape) ** 0.5
        steps = orthogonal(ops.stack([step for _, step in members])) * (learning_rate * size)
        for i, (variable, _) in enumerate(members):
            variable.assign_sub(ops.reshape(steps[i], variable.shape))


def _matrix_shape(variable: Any) -> tuple[int, int]:
    """Return (rows, columns) of what a kernel does to a patch."""
    *rows, columns = variable.shape
    return math.prod(rows), columns
