"""What every network promises, whichever builder made it."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kgen import networks
from kgen.errors import KgenError
from tests.core.networks.cases import CASES, CLASSES, build, outputs, set_weights, tensors

pytestmark = pytest.mark.backend


def weight_paths(model: keras.Model) -> list[str]:
    """List the weights' paths; Keras numbers the generators of dropout by itself."""
    return [v.path for v in model.variables if "seed_generator" not in v.path]


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


@pytest.mark.parametrize("num_classes", [None, CLASSES])
@pytest.mark.parametrize("case", ["conv_discriminator", "mlp_discriminator"])
def test_a_discriminator_of_pairs_has_no_constant_that_they_share(case, num_classes):
    with_constants = build(case, num_classes=num_classes)
    model = build(case, bias=False, num_classes=num_classes)
    gone = set(weight_paths(with_constants)) - set(weight_paths(model))
    last = {"logit/bias", "class_features/bias"}
    assert gone == {p for p in weight_paths(with_constants) if "/".join(p.split("/")[-2:]) in last}
    assert gone


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
