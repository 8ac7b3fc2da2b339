"""Muon moves matrices as Jordan et al. (2024) and Keras's own Muon do, and vectors as Adam does."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen.muon import COEFFICIENTS, ITERATIONS, MOMENTUM, Muon, is_matrix, orthogonal

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(3)


def newton_schulz(matrix):
    """Iterate as published, in float64: one product of the whole matrix after another."""
    a, b, c = COEFFICIENTS
    x = matrix.astype(np.float64) / np.linalg.norm(matrix)
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def orthogonalised(matrices):
    tensors = ops.convert_to_tensor(matrices.astype(np.float32))
    return ops.convert_to_numpy(orthogonal(tensors))


@pytest.mark.parametrize("shape", [(8, 8), (72, 8), (8, 30), (5, 1)], ids=str)
def test_iteration_is_the_published_one(shape):
    matrices = RNG.normal(size=(3, *shape))
    for found, matrix in zip(orthogonalised(matrices), matrices, strict=True):
        np.testing.assert_allclose(found, newton_schulz(matrix), atol=1e-4)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_singular_values_come_near_1_and_directions_stay(size):
    u, _ = np.linalg.qr(RNG.normal(size=(40, 12)))
    v, _ = np.linalg.qr(RNG.normal(size=(12, 12)))
    matrix = u @ np.diag(np.geomspace(1, 0.02, 12)) @ v.T * size
    found = orthogonalised(matrix[None])[0]
    assert np.linalg.svd(found, compute_uv=False).min() > 0.65
    assert np.linalg.svd(found, compute_uv=False).max() < 1.25
    turned = u.T @ found @ v
    np.testing.assert_allclose(turned - np.diag(np.diag(turned)), 0.0, atol=2e-3)


def test_a_matrix_of_zeros_stays_where_it_is():
    np.testing.assert_array_equal(orthogonalised(np.zeros((1, 6, 4))), np.zeros((1, 6, 4)))


def moved(optimizer, values, gradients):
    """Return variables of these values after a step along each row of gradients."""
    variables = [keras.Variable(value, name=f"kernel{i}") for i, value in enumerate(values)]
    optimizer.build(variables)
    for row in gradients:
        apply(optimizer, [ops.convert_to_tensor(gradient) for gradient in row], variables)
    return [ops.convert_to_numpy(variable) for variable in variables]


def apply(optimizer, gradients, variables):
    """Apply gradients as `descend` does on the current backend."""
    if keras.backend.backend() != "jax":
        optimizer.apply(gradients, variables)
        return
    state, values = ([v.value for v in group] for group in (optimizer.variables, variables))
    moved, state = optimizer.stateless_apply(state, gradients, values)
    for variable, value in zip([*variables, *optimizer.variables], [*moved, *state], strict=True):
        variable.assign(value)


def draw(shapes):
    return [RNG.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("clip", [None, 0.5])
def test_steps_are_those_of_keras(clip):
    """Two matrices of one shape, one of another, and a vector, by a rate that falls."""
    shapes = [(6, 4), (6, 4), (3, 7), (5,)]
    values, gradients = draw(shapes), [draw(shapes) for _ in range(4)]

    def rate():
        return keras.optimizers.schedules.CosineDecay(0.1, 6)

    own = moved(Muon(rate(), beta_2=0.99, global_clipnorm=clip), values, gradients)
    keras_own = keras.optimizers.Muon(
        rate(), adam_beta_2=0.99, global_clipnorm=clip, momentum=MOMENTUM, weight_decay=None,
        adam_weight_decay=None,
    )  # fmt: skip
    for found, expected in zip(own, moved(keras_own, values, gradients), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


def test_a_convolution_moves_as_the_matrix_of_its_patches_does():
    [kernel], gradients = draw([(3, 3, 2, 5)]), [draw([(3, 3, 2, 5)]) for _ in range(3)]
    [found] = moved(Muon(0.1), [kernel], gradients)
    flat = [[gradient.reshape(18, 5)] for [gradient] in gradients]
    [expected] = moved(Muon(0.1), [kernel.reshape(18, 5)], flat)
    np.testing.assert_allclose(found.reshape(18, 5), expected, atol=1e-6)


def test_a_step_has_the_size_of_adams():
    """An element moves by 0.2 rates (root mean square), whatever shape and gradient are."""
    for shape in [(64, 64), (288, 32), (3, 3, 16, 64)]:
        [gradient] = draw([shape])
        [found] = moved(Muon(0.1), [np.zeros(shape, np.float32)], [[1e-3 * gradient]])
        assert np.sqrt(np.mean(found**2)) == pytest.approx(0.02, rel=0.15)


def test_vectors_and_tables_of_classes_are_adams():
    table = keras.layers.Embedding(10, 4, name="class_embedding")
    dense = keras.layers.Dense(4)
    table.build(())
    dense.build((None, 3))
    kinds = {v.path: is_matrix(v) for v in [*table.variables, *dense.variables]}
    assert sorted(kinds.values()) == [False, False, True]
    assert kinds[dense.kernel.path]
    optimizer = Muon(0.1)
    optimizer.build([*table.variables, *dense.variables])
    # Of Keras: iterations and the rate. Adam's two averages of table and bias, one of the kernel.
    assert len(optimizer.variables) == 2 + 2 * 2 + 1


def test_with_a_scaled_loss_steps_are_the_same():
    """As under float16: gradients come scaled, and one that overflows moves nothing."""
    shapes = [(6, 4), (5,)]
    values, gradients = draw(shapes), [draw(shapes) for _ in range(3)]
    plain = moved(Muon(0.1), values, gradients)
    scale = 2.0**10
    scaled = [[scale * gradient for gradient in row] for row in gradients]
    overflown = [np.full(shape, np.inf, np.float32) for shape in shapes]
    optimizer = keras.optimizers.LossScaleOptimizer(Muon(0.1), initial_scale=scale)
    found = moved(optimizer, values, [*scaled, overflown])
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
