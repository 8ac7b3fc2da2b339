"""A VAE with a learned prior ships as files that take and give standard normal latents."""

import itertools

import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from kgen_exports.job import DEFAULT_PRECISIONS, FORMATS
from kgen_exports.lint import lint
from kgen_exports.runtime import load


@pytest.fixture(scope="module")
def bundles(exported):
    """Bundles of the same VAE with an N(0, I) prior and with a flow."""
    return {name: load(exported(name).path) for name in ("vae", "vae_flow")}


def test_a_flow_is_shipped_in_every_default_precision(exported):
    done = exported("vae_flow")
    # Weights drawn at random bend latents further than one range of int8 can follow.
    assert {check.entry.precision for check in done.refused} <= {"int8-static"}
    kept = {(c.part, c.entry.format, c.entry.precision) for c in done.passed}
    assert kept >= set(itertools.product(("decoder", "encoder"), FORMATS, DEFAULT_PRECISIONS))


def test_the_decoder_takes_standard_normal_noise_whatever_the_prior(bundles):
    for bundle in bundles.values():
        (z,) = bundle.manifest.parts["decoder"].inputs
        assert (z.name, z.shape, z.distribution) == ("z", (None, 8), "standard_normal")


def test_the_encoder_of_a_flow_gives_no_log_variance(bundles):
    outputs = {
        name: [spec.name for spec in bundle.manifest.parts["encoder"].outputs]
        for name, bundle in bundles.items()
    }
    assert outputs == {"vae": ["mean", "logvar"], "vae_flow": ["mean"]}
    assert "logvar" not in (bundles["vae_flow"].path / "README.md").read_text()


def test_a_flow_divides_and_negates_nowhere(bundles):
    """LiteRT 1.4 refuses to divide by what int8 writes as 0, and CoreML has no negation."""
    for part in ("decoder", "encoder"):
        graph = onnx.load(bundles["vae_flow"].path / f"{part}.onnx").graph
        operations = {node.op_type.upper() for node in graph.node}
        lite = Interpreter(str(bundles["vae_flow"].path / f"{part}.tflite"))
        for found in (operations, {each["op_name"] for each in lite._get_ops_details()}):
            assert "TANH" in found
            assert not found & {"DIV", "NEG"}


def test_a_flow_adds_nothing_that_a_device_would_mind(bundles):
    plain, bent = (
        {
            entry.path: {
                f.rule for f in lint(bundle.path / entry.path).findings if f.severity != "note"
            }
            for _, entry in bundle.manifest.files()
        }
        for bundle in bundles.values()
    )
    assert len(bent) > 10
    for path, findings in bent.items():
        assert findings <= plain[path], path
