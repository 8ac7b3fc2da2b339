"""Which sizes the networks take and give. Runs once: shapes do not depend on the backend."""

import re

import numpy as np
import pytest

from kgen import networks
from kgen.config import DDPMConfig, GANConfig, VAEConfig
from kgen.errors import KgenError
from kgen.option import section_fields
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


def build_28(case: str, *widths: tuple[int, ...]):
    """Build a case for 28 pixels, with default widths or those given."""
    kind, part = case.split("_")
    shape = (28, 28, 1)
    arguments = {
        "generator": (kind, LATENT, shape),
        "discriminator": (kind, shape),
        "encoder": (kind, LATENT, shape),
        "decoder": (kind, LATENT, shape),
        "denoiser": (shape,),
    }[part]
    return getattr(networks, f"build_{part}")(*arguments, *widths)


@pytest.mark.parametrize("case", CASES)
def test_default_widths_work_for_28_pixels(case):
    results = outputs(build_28(case), tensors((28, 28, 1)))
    assert [r.shape for r in results] == expected_shapes(case, (28, 28, 1))
    assert all(r.dtype == np.float32 and np.all(np.isfinite(r)) for r in results)


@pytest.mark.parametrize("case", CASES)
def test_default_widths_are_those_that_the_help_names(case):
    kind, part = case.split("_")
    name = "widths" if part == "denoiser" else f"{part}_widths"
    [field] = [
        field
        for section in (GANConfig, VAEConfig, DDPMConfig)
        for field in section_fields(section)
        if field.name == name
    ]
    suffix = "" if part == "denoiser" else rf" \({kind}\)"
    [text] = re.findall(rf"([\d,]+){suffix}", field.option.help)
    named = build_28(case, tuple(map(int, text.split(","))))
    assert [v.shape for v in named.variables] == [v.shape for v in build_28(case).variables]


# Above 8 pixels a network halves on, while both sides are even.
SMALLEST = {8: 2, 12: 3, 20: 5, 28: 7, 32: 8, 36: 9, 44: 11, 56: 7, 64: 8, 72: 9, 100: 25, 128: 8}


@pytest.mark.parametrize("size", SMALLEST)
def test_the_default_levels_follow_the_size(size):
    shape = (size, size, 3)
    generator = networks.build_generator("conv", LATENT, shape)
    assert generator.get_layer("base_reshape").output.shape[1:] == (SMALLEST[size],) * 2 + (64,)
    discriminator = networks.build_discriminator("conv", shape)
    [*_, last] = (layer for layer in discriminator.layers if layer.name.endswith("_conv"))
    assert last.output.shape[1] == -(-SMALLEST[size] // 2)
    assert last.filters == 128
    attention = networks.build_denoiser(shape).get_layer("middle_attention")
    assert attention.output.shape[1:] == (SMALLEST[size],) * 2 + (64,)


def test_the_longer_side_decides_and_both_must_be_even():
    sides = {(28, 64): (7, 16), (32, 64): (4, 8)}
    for (height, width), smallest in sides.items():
        generator = networks.build_generator("conv", LATENT, (height, width, 1))
        assert generator.get_layer("base_reshape").output.shape[1:3] == smallest


@pytest.mark.parametrize("case", ["conv_generator", "conv_decoder", "conv_denoiser"])
def test_a_size_that_doubling_does_not_make_is_refused(case):
    # 2 levels: the denoiser's patches are the first of its halvings.
    with pytest.raises(KgenError, match=r"multiples of 4.*height=30, width=30.*set.* 32"):
        build(case, (30, 30, 1))


@pytest.mark.parametrize("case", ["conv_discriminator", "conv_encoder"])
def test_what_reads_pictures_takes_any_size(case):
    shape = (30, 25, 1)
    results = outputs(build(case, shape), tensors(shape))
    assert [result.shape for result in results] == expected_shapes(case, shape)


def test_a_discriminator_may_have_more_levels_than_halve_evenly():
    model = networks.build_discriminator("conv", (28, 28, 1), (4, 4, 4, 4, 4, 4))
    heights = [layer.output.shape[1] for layer in model.layers if layer.name.endswith("_conv")]
    assert heights == [14, 7, 4, 2, 1, 1]


def test_an_unknown_network_is_refused_with_the_right_names():
    with pytest.raises(KgenError, match=r"mlp \| conv.*network='covn'"):
        networks.build_encoder("covn", 2, (16, 16, 1))


def test_heads_that_do_not_divide_the_last_width_are_refused():
    with pytest.raises(KgenError, match=r"widths=\(8, 18\), num_heads=4"):
        networks.build_denoiser((16, 16, 1), (8, 18), num_heads=4)


def test_a_patch_size_of_1_and_more_blocks_work():
    model = networks.build_denoiser((12, 12, 3), (8, 12), patch_size=1, num_blocks=2, num_heads=2)
    assert outputs(model, tensors((12, 12, 3)))[0].shape == (3, 12, 12, 3)
