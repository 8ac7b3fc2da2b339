"""Which sizes the networks take and give. Runs once: shapes do not depend on the backend."""

import numpy as np
import pytest

from kgen import networks
from kgen.errors import KgenError
from tests.core.networks.cases import CASES, LATENT, build, outputs, tensors

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (16, 24, 2)]


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
