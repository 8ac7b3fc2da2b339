"""The Inception network's place among the extractors, with a stand-in for torch-fidelity.

The network itself, and that its Fréchet distance is torch-fidelity's own, are checked by
scripts/check_inception.py, which needs that package.
"""

import hashlib
import sys
import types

import numpy as np
import pytest

from kgen.errors import KgenError

pytestmark = pytest.mark.backend

SHAPE = (8, 8, 1)


@pytest.fixture
def library(monkeypatch):
    """Put a stand-in for torch-fidelity in place: features are means of each row of pixels."""
    import torch

    seen = []

    class FeatureExtractorInceptionV3(torch.nn.Module):
        def __init__(self, name, features_list, feature_extractor_weights_path):
            super().__init__()
            # As in 0.4.0, whose forward hands the layers over in the order of this list.
            assert features_list == ["2048", "logits_unbiased"]
            torch.load(feature_extractor_weights_path, weights_only=True)

        def forward(self, x):
            assert x.dtype == torch.uint8
            seen.append(tuple(x.shape))
            rows = x.float().mean(dim=3)  # (n, 3, height)
            return rows.flatten(1), rows[:, 0] - rows[:, 1]

    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = FeatureExtractorInceptionV3
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


@pytest.fixture
def weights(tmp_path):
    """Write a file of weights that passes for Inception's."""
    import torch

    path = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.zeros(1008, 2048)}, path)
    return path


def pictures(n, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


def test_grey_is_shown_to_all_three_channels(library, weights):
    from kgen.evaluation.extraction.inception import inception

    images = pictures(5)
    found = inception(SHAPE, weights)([images], 5)
    rows = images[..., 0].mean(axis=2)
    # Means of 8 bytes are exact in float32.
    np.testing.assert_array_equal(found.features, np.tile(rows, 3))
    assert found.logits is not None
    np.testing.assert_array_equal(found.logits, 0)


def test_colours_keep_their_channels(library, weights):
    from kgen.evaluation.extraction.inception import inception

    images = pictures(5, (8, 8, 3))
    found = inception((8, 8, 3), weights)([images], 5)
    rows = images.mean(axis=2).transpose(0, 2, 1)  # (n, 3, height)
    np.testing.assert_array_equal(found.features, rows.reshape(5, 24))


def test_pieces_of_any_size_give_what_one_gives(library, weights):
    from kgen.evaluation.extraction.inception import CHUNK, inception

    look, images, told = inception(SHAPE, weights), pictures(100), []
    whole = look([images], 100)
    pieces = look([images[:7], images[7:90], images[90:]], 100, lambda *done: told.append(done))
    np.testing.assert_array_equal(pieces.features, whole.features)
    assert max(n for n, *_ in library) == CHUNK
    assert told[-1] == (100, 100)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_other_weights_have_another_name(library, weights):
    from kgen.evaluation.extraction.inception import inception

    look = inception(SHAPE, weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert look.sha256 == sha256
    assert look.name == f"inception-{sha256[:8]}"
    assert not look.has_classes


def test_the_environment_names_the_file(library, weights, monkeypatch):
    from kgen.evaluation.extraction.inception import VARIABLE, inception

    monkeypatch.setenv(VARIABLE, str(weights))
    assert inception(SHAPE).sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setenv(VARIABLE, str(weights.with_name("none.pth")))
    with pytest.raises(KgenError, match=r"Cannot read the weights .*none\.pth: No such file"):
        inception(SHAPE)


def test_the_file_where_pytorch_keeps_downloads_is_taken(library, weights, monkeypatch, tmp_path):
    from kgen.evaluation.extraction.inception import VARIABLE, WEIGHTS, inception

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    kept = tmp_path / "torch" / "hub" / "checkpoints" / WEIGHTS
    kept.parent.mkdir(parents=True)
    weights.rename(kept)
    assert inception(SHAPE).sha256 == hashlib.sha256(kept.read_bytes()).hexdigest()


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("invalid hash value")])
def test_without_a_network_the_message_says_which_file_goes_where(
    library, monkeypatch, tmp_path, error
):
    import torch

    from kgen.evaluation.extraction.inception import VARIABLE, WEIGHTS, inception

    def fail(url, path, hash_prefix, progress):
        assert url.endswith(WEIGHTS)
        assert hash_prefix == "6726825d"
        raise error

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(KgenError) as caught:
        inception(SHAPE)
    message = str(caught.value)
    for part in (str(error), str(tmp_path / "hub" / "checkpoints" / WEIGHTS), VARIABLE):
        assert part in message


def test_without_the_package_the_message_says_how_to_get_it(weights, monkeypatch):
    from kgen.evaluation.extraction.inception import inception

    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(KgenError, match=r"needs the package torch-fidelity .*kgen\[fidelity\]"):
        inception(SHAPE, weights)


class Harmful:
    """What a file of weights must never do."""

    def __reduce__(self):
        return (sys.exit, ("the file ran",))


@pytest.mark.parametrize("content", ["program", "text", "other"])
def test_what_is_no_file_of_weights_is_refused_and_not_run(library, tmp_path, content):
    import torch

    from kgen.evaluation.extraction.inception import inception

    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("not found", encoding="utf-8")
    else:
        kinds = {"program": Harmful(), "other": {"fc.weight": torch.zeros(10, 64)}}
        torch.save(kinds[content], path)
    with pytest.raises(KgenError, match=r"not a file of weights|holds other weights"):
        inception(SHAPE, path)


@pytest.mark.parametrize(
    "images",
    [pictures(2, (9, 8, 1)), pictures(2, (8, 8, 3)), pictures(2).astype(np.float32)],
    ids=["size", "channels", "dtype"],
)
def test_other_pictures_are_refused(library, weights, images):
    from kgen.evaluation.extraction.inception import inception

    with pytest.raises(KgenError, match="takes pictures of 8 x 8 x 1 in uint8"):
        inception(SHAPE, weights)([images], 2)


def test_no_pictures_are_refused(library, weights):
    from kgen.evaluation.extraction.inception import inception

    with pytest.raises(KgenError, match="There is no picture to look at"):
        inception(SHAPE, weights)([], 0)
