"""What every network promises, whichever builder made it."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kgen import networks
from kgen.errors import KgenError
from tests.core.networks.cases import CASES, CLASSES, LATENT, build, outputs, set_weights, tensors

pytestmark = pytest.mark.backend

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (16, 24, 2)]


def weight_paths(model: keras.Model) -> list[str]:
    """List the weights' paths; Keras numbers the generators of dropout by itself."""
    return [v.path for v in model.variables if "seed_generator" not in v.path]


def expected_shapes(case: str, shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    if case.endswith("discriminator"):
        return [(3, 1)]
    if case.endswith("encoder"):
        return [(3, LATENT), (3, LATENT)]
    return [(3, *shape)]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_output_has_the_promised_shape_and_is_float32(case, shape):
    output = build(case, shape).output
    parts = [output[k] for k in sorted(output)] if isinstance(output, dict) else [output]
    assert [(3, *part.shape[1:]) for part in parts] == expected_shapes(case, shape)
    assert {part.dtype for part in parts} == {"float32"}


@pytest.mark.parametrize("case", CASES)
def test_default_widths_work_for_28_pixels(case):
    builder = getattr(networks, "build_" + case.split("_")[1])
    kind = case.split("_")[0]
    shape = (28, 28, 1)
    arguments = {
        "generator": (kind, LATENT, shape),
        "discriminator": (kind, shape),
        "encoder": (kind, LATENT, shape),
        "decoder": (kind, LATENT, shape),
        "denoiser": (shape,),
    }[case.split("_")[1]]
    results = outputs(builder(*arguments), tensors(shape))
    assert [r.shape for r in results] == expected_shapes(case, shape)
    assert all(r.dtype == np.float32 and np.all(np.isfinite(r)) for r in results)


@pytest.mark.parametrize("case", CASES)
def test_names_are_explicit_and_unique(case):
    first, second = build(case, num_classes=CLASSES), build(case, num_classes=CLASSES)
    assert weight_paths(first) == weight_paths(second)
    assert len(set(weight_paths(first))) == len(weight_paths(first))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert first.name == case.split("_")[1]


@pytest.mark.parametrize("case", CASES)
def test_a_class_changes_the_output_and_callers_stay_the_same(case):
    inputs = tensors()
    inputs = {name: value[:1].repeat(3, axis=0) for name, value in inputs.items()}
    inputs["label"] = np.array([0, 1, 2], "int32")
    plain, conditional = build(case), build(case, num_classes=CLASSES)
    for model in (plain, conditional):
        set_weights(model)
    for result in outputs(plain, inputs):
        # one picture three times; matrix products may block rows differently
        assert_allclose(result[1:], result[:1].repeat(2, axis=0), rtol=0, atol=1e-5)
    for result in outputs(conditional, inputs):
        assert np.abs(result[1:] - result[:1]).max(axis=tuple(range(1, result.ndim))).min() > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_a_saved_network_loads_and_answers_the_same(case, tmp_path):
    model = build(case, num_classes=CLASSES)
    set_weights(model)
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert weight_paths(loaded) == weight_paths(model)
    rebuilt = type(model).from_config(model.get_config())
    rebuilt.set_weights(model.get_weights())
    for other in (loaded, rebuilt):
        for ours, theirs in zip(outputs(model, tensors()), outputs(other, tensors()), strict=True):
            assert_array_equal(ours, theirs)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("case", CASES)
def test_half_precision_is_finite_and_near_float32(case, policy):
    exact = build(case)
    set_weights(exact)
    keras.config.set_dtype_policy(policy)
    try:
        mixed = build(case)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(exact.get_weights())
    # bfloat16 keeps 8 bits: 0.4 % per operation, over about ten operations of random sign
    tolerance = {"mixed_bfloat16": 0.05, "mixed_float16": 0.01}[policy]
    for ours, theirs in zip(outputs(mixed, tensors()), outputs(exact, tensors()), strict=True):
        assert ours.dtype == np.float32
        assert np.sqrt(np.mean((ours - theirs) ** 2)) < tolerance * np.std(theirs) + 1e-3
    for training in (False, True):
        results = outputs(mixed, tensors(), training=training)
        assert all(np.all(np.isfinite(r)) for r in results)
    assert all(v.dtype == "float32" for v in mixed.trainable_variables)


def test_only_the_discriminator_draws_random_numbers():
    for case in CASES:
        seeds = [v for v in build(case).variables if "seed_generator" in v.path]
        assert bool(seeds) == case.endswith("discriminator")


def test_a_missing_input_is_named():
    with pytest.raises(KgenError, match=r"'denoiser' takes t, xt.*missing: t"):
        networks.call(build("conv_denoiser"), False, xt=tensors()["xt"], label=None)


@pytest.mark.parametrize("case", [c for c in CASES if c.startswith("conv")])
def test_a_size_that_does_not_halve_often_enough_is_refused(case):
    # 2 levels: the denoiser's patches are the first of its halvings.
    with pytest.raises(KgenError, match=r"multiples of 4.*height=30, width=30.*set.* 32"):
        build(case, (30, 30, 1))


def test_an_unknown_network_is_refused_with_the_right_names():
    with pytest.raises(KgenError, match=r"mlp \| conv.*network='covn'"):
        networks.build_encoder("covn", 2, (16, 16, 1))


def test_heads_that_do_not_divide_the_last_width_are_refused():
    with pytest.raises(KgenError, match=r"widths=\(8, 18\), num_heads=4"):
        networks.build_denoiser((16, 16, 1), (8, 18), num_heads=4)


def test_a_patch_size_of_1_and_more_blocks_work():
    model = networks.build_denoiser((12, 12, 3), (8, 12), patch_size=1, num_blocks=2, num_heads=2)
    assert outputs(model, tensors((12, 12, 3)))[0].shape == (3, 12, 12, 3)
