"""What is in a bundle's README, and what is not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from kgen_exports import handbook, programs
from kgen_exports.manifest import FileEntry
from kgen_exports.runtime import load
from kgen_exports.runtime.bundle import digest
from tests.exports.readme_programs import KINDS, PROGRAM, programs_of


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


# Programs that read TFLite files; only TensorFlow's converter makes real ones.


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
