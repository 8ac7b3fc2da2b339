"""Exported files as something to evaluate."""

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen_exports.source import BundleSource
from tests.exports.tiny_bundle import make


def drawn(source, n=3, seed=5):
    return np.concatenate(list(source.draw(n, seed, lambda done, total: None)))


def test_files_draw_with_the_steps_and_noise_that_are_asked_for(tmp_path):
    bundle = make(tmp_path, "ddpm")
    own, other = BundleSource(bundle), BundleSource(bundle, options={"num_steps": 7, "eta": 0.5})
    assert (own.target.sampler, other.target.sampler) == (
        "dpmpp eta=0, 4 steps", "dpmpp eta=0.5, 7 steps",
    )  # fmt: skip
    assert own.content != other.content
    np.testing.assert_array_equal(drawn(own), bundle.generate(3, seed=5))
    np.testing.assert_array_equal(drawn(other), bundle.generate(3, seed=5, num_steps=7, eta=0.5))


def test_naming_the_sampler_that_the_files_have_changes_nothing(tmp_path):
    bundle = make(tmp_path, "ddpm", sampler="ddim")
    named = BundleSource(bundle, options={"sampler": "ddim"})
    assert named.content == BundleSource(bundle).content


@pytest.mark.parametrize("option", [{"sampler": "ddim"}, {"variance": "fixed_large"}])
def test_files_have_no_other_sampler(tmp_path, option):
    ((name, value),) = option.items()
    with pytest.raises(KgenError, match=f"Received: --{name} {value} for "):
        BundleSource(make(tmp_path, "ddpm"), options=option)


def test_the_time_of_a_picture_and_the_size_of_its_files_are_known(tmp_path):
    bundle = make(tmp_path, "gan")
    source = BundleSource(bundle, "fp16")
    assert source.timed().seconds_per_picture is None
    drawn(source)
    target = source.timed()
    assert target.seconds_per_picture > 0
    assert target.bytes == bundle.entry("generator", "fp16").bytes
    assert (target.kind, target.family, target.precision) == ("bundle", "gan", "fp16")
