"""What `kgen evaluate` and `kgen compare` take for a run, a bundle or pictures."""

from pathlib import Path

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen_cli.targets import locate
from tests.exports.tiny_bundle import make

ROOT = Path("runs")


@pytest.fixture
def run(make_run):
    """Make the folder of a gan's run, as if it were finished."""
    return make_run("gan-run", "gan")


@pytest.mark.parametrize("name", ["gan", "runs/gan-run"])
def test_a_family_or_a_folder_is_a_run(run, name):
    place = locate(name, ROOT)
    assert (place.run.path, place.bundle, place.pictures) == (run.path, None, None)
    assert place.folder == run.path / "evaluation"


@pytest.mark.parametrize("name", ["gan@int8", "runs/gan-run@int8", "runs/gan-run/export@int8"])
def test_a_precision_asks_for_the_files_of_a_run(run, name):
    make(run.path / "export")
    place = locate(name, ROOT)
    assert (place.bundle, place.precision) == (run.path / "export", "int8")
    assert place.run.path.resolve() == run.path.resolve()
    assert place.folder.resolve() == (run.path / "evaluation-int8").resolve()


def test_a_bundle_is_its_float32_files():
    make(Path("out"))
    place = locate("out", ROOT)
    assert (place.run, place.bundle, place.precision) == (None, Path("out"), "fp32")
    assert place.folder == Path("evaluation-out-fp32")


@pytest.mark.parametrize("name", ["made", "made.npz"])
def test_anything_else_that_is_there_is_pictures(name):
    Path("made").mkdir()
    np.savez("made.npz", images=np.zeros((2, 8, 8), np.uint8))
    place = locate(name, ROOT)
    assert (place.run, place.bundle, place.pictures) == (None, None, name)
    assert place.folder == Path("evaluation-made")


def test_a_folder_may_have_an_at_in_its_name():
    Path("me@home").mkdir()
    assert locate("me@home", ROOT).pictures == "me@home"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", r"There is no nothing to evaluate\. Give the folder of a run"),
        ("gan", r"There is no gan run under runs/"),
        ("gan@int8", r"There is no gan run under runs/"),
        ("gan@int4", r"After @ comes a precision: fp32, fp16, int8, int8-static\. Received: gan@"),
        ("nothing@int8", r"A bundle is a folder with a kgen\.json"),
    ],
)
def test_what_is_not_there_says_what_may_be(name, message):
    with pytest.raises(KgenError, match=message):
        locate(name, ROOT)


def test_files_of_a_run_that_is_not_exported_say_how_to_export_it(run):
    with pytest.raises(KgenError, match=r"is not exported yet\. Export it with: kgen export"):
        locate("gan@int8", ROOT)
