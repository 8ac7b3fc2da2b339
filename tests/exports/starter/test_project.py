"""What a starter is made of, and when none is written."""

import json
import re
import shutil
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen_exports.proof import FP32_SHARE, LEAST_DB
from kgen_exports.runtime import load
from kgen_exports.runtime.bundle import digest
from kgen_exports.starter import write_starter
from kgen_exports.starter.contents import GOLDEN_NUMBERS, starter_json
from kgen_exports.starter.project import LANGUAGES
from tests.exports.starter import harness

CHOICES = [(name, runtime) for name, made in LANGUAGES.items() for runtime in made.runtimes]
SUFFIXES = {"onnxruntime": ".onnx", "litert": ".tflite"}
MAX_LINES = 300


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {kind: harness.make(folder / kind, kind) for kind in ("gan", "vae", "ddpm")}


@pytest.fixture
def bundle(bundles, tmp_path):
    """Return a copy of the GAN's bundle, to break."""
    shutil.copytree(bundles["gan"].path, tmp_path / "bundle")
    return load(tmp_path / "bundle")


@pytest.mark.parametrize("kind", ["gan", "vae", "ddpm"])
@pytest.mark.parametrize(("language", "runtime"), CHOICES)
def test_a_project_holds_the_files_of_its_runtime_that_draw(
    language, runtime, kind, bundles, tmp_path
):
    bundle = bundles[kind]
    written = write_starter(bundle, language, tmp_path / "app", name="Tiny", runtime=runtime)
    assert set(written) == {p for p in (tmp_path / "app").rglob("*") if p.is_file()}
    assets = tmp_path / "app" / LANGUAGES[language].assets
    kept = {p.name for p in assets.iterdir()} - {"kgen.json", "starter.json"}
    parts = {"gan": ["generator"], "vae": ["decoder"], "ddpm": ["denoiser", "sampler"]}[kind]
    expected = {
        entry.path: entry.sha256
        for part in parts
        for entry in bundle.manifest.parts[part].files
        if (entry.precision, entry.batch) == ("fp16", 1) and entry.path.endswith(SUFFIXES[runtime])
    }
    assert {name: digest(assets / name) for name in kept} == expected
    assert (assets / "kgen.json").read_bytes() == (bundle.path / "kgen.json").read_bytes()
    named = json.loads((assets / "starter.json").read_text())["files"]
    assert set(named) == set(parts)
    assert set(named.values()) == kept


@pytest.mark.parametrize("kind", ["gan", "ddpm"])
@pytest.mark.parametrize(("language", "runtime"), CHOICES)
def test_every_file_is_filled_in_and_is_what_its_name_says(
    language, runtime, kind, bundles, tmp_path
):
    written = write_starter(
        bundles[kind], language, tmp_path / "app", name="Tiny Test", runtime=runtime
    )
    assert tmp_path / "app" / ".gitignore" in written
    for path in written:
        if path.suffix in SUFFIXES.values():
            continue
        text = path.read_text(encoding="utf-8")
        assert path.suffix != ".in"
        assert not re.search(r"^\?", text, re.MULTILINE), path
        if path.suffix == ".json":
            json.loads(text)
        elif path.suffix == ".xml":
            ElementTree.fromstring(text)
        else:
            assert text.endswith("\n"), path
            assert len(text.splitlines()) <= MAX_LINES, path
    tables = [path for path in written if re.sub("[^a-z]", "", path.stem.lower()) == "samplertable"]
    assert len(tables) == (kind == "ddpm")


@pytest.mark.parametrize(("language", "runtime"), CHOICES)
def test_the_readme_names_every_version_and_what_was_not_run(language, runtime, bundles, tmp_path):
    app = tmp_path / "app"
    write_starter(bundles["ddpm"], language, app, name="Tiny", runtime=runtime)
    text = (app / "README.md").read_text(encoding="utf-8")
    assert "Native build not run here" in text
    others = {"litert": {"onnxruntime", "onnxruntime_swift"}}.get(
        runtime, {"litert", "tensorflow_lite_swift"}
    )
    for name, version in LANGUAGES[language].versions.items():
        assert (version in text) == (name not in others), name


def test_a_react_native_project_pins_every_package(bundles, tmp_path):
    write_starter(bundles["gan"], "react-native", tmp_path / "app", name="Tiny")
    package = json.loads((tmp_path / "app" / "package.json").read_text())
    pins = {**package["dependencies"], **package["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins.values())
    assert set(pins.values()) == set(LANGUAGES["react-native"].versions.values())


def test_golden_pictures_are_kerass_to_seven_digits_and_gates_the_exports(bundles):
    for kind, case in (("gan", "generator"), ("vae", "decoder"), ("ddpm", "sampler")):
        bundle = bundles[kind]
        golden = bundle.golden()
        values = json.loads(starter_json(bundle.manifest, {}, golden))
        pictures = golden[f"{case}/out/image"]
        assert values["golden"]["seed"] == bundle.manifest.golden["seed"]
        assert values["golden"]["labels"] is None
        # Seven digits are within 5e-7 of a number's size.
        np.testing.assert_allclose(
            values["golden"]["pictures"], pictures.reshape(len(pictures), -1), rtol=5e-7
        )
        assert values["gates"] == {"fp32_share": FP32_SHARE, "least_db": LEAST_DB}


@pytest.mark.parametrize(
    ("shape", "count"), [((64, 64, 1), 4), ((64, 64, 3), 1), ((128, 128, 3), 1), ((16, 16, 1), 8)]
)
def test_golden_pictures_are_as_many_as_an_app_can_carry(shape, count, bundles):
    golden = {"generator/out/image": np.zeros((8, *shape), np.float32)}
    values = json.loads(starter_json(bundles["gan"].manifest, {}, golden))
    pictures = values["golden"]["pictures"]
    assert [len(picture) for picture in pictures] == [np.prod(shape)] * count
    assert count == 1 or count * np.prod(shape) <= GOLDEN_NUMBERS


def test_golden_classes_come_along(bundles):
    golden = {
        "generator/out/image": np.zeros((8, 16, 16, 1), np.float32),
        "generator/in/label": np.arange(8, dtype=np.int32),
    }
    values = json.loads(starter_json(bundles["gan"].manifest, {}, golden))
    assert values["golden"]["labels"] == list(range(8))


def test_fp32_stands_in_for_fp16_only(bundle, tmp_path):
    files = bundle.manifest.parts["generator"].files
    kept = tuple(entry for entry in files if entry.precision == "fp32")
    parts = {"generator": replace(bundle.manifest.parts["generator"], files=kept)}
    replace(bundle.manifest, parts=parts).write(bundle.path)
    small = load(bundle.path)
    write_starter(small, "kotlin", tmp_path / "app", name="Tiny")
    assert (tmp_path / "app/app/src/main/assets/generator.tflite").is_file()
    with pytest.raises(KgenError, match=r"in int8, of one picture a call\. Received: .*onnx fp32"):
        write_starter(small, "kotlin", tmp_path / "other", name="Tiny", precision="int8")
    assert not (tmp_path / "other").exists()


def test_the_runtime_is_one_that_there_are_files_for(bundle, tmp_path):
    files = bundle.manifest.parts["generator"].files
    kept = tuple(entry for entry in files if entry.format == "onnx")
    parts = {"generator": replace(bundle.manifest.parts["generator"], files=kept)}
    replace(bundle.manifest, parts=parts).write(bundle.path)
    onnx = load(bundle.path)
    write_starter(onnx, "kotlin", tmp_path / "app", name="Tiny")
    assert "OnnxNetwork" in (
        tmp_path / "app/app/src/main/kotlin/dev/kgen/starter/Runtime.kt"
    ).read_text(encoding="utf-8")
    with pytest.raises(KgenError, match="for LiteRT in fp16"):
        write_starter(onnx, "react-native", tmp_path / "other", name="Tiny")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"language": "java"}, r"language takes one of kotlin, swift, react-native\. .*java"),
        ({"runtime": "torch"}, r"runtime takes one of litert, onnxruntime\. .*runtime=torch"),
        ({"precision": "fp8"}, r"precision takes one of fp32, .*precision='fp8'"),
        ({"name": "Tiny</string>"}, "letters, digits and single spaces"),
        ({"name": "7 shoes"}, "a letter first"),
        ({"name": "a" * 31}, "up to 30"),
        ({"name": ""}, "Received: name=''"),
    ],
)
def test_wrong_arguments_are_told_and_leave_nothing(changed, told, bundle, tmp_path):
    arguments = {"language": "kotlin", "name": "Tiny", "runtime": None, "precision": "fp16"}
    with pytest.raises(KgenError, match=told):
        write_starter(bundle, out=tmp_path / "app", **{**arguments, **changed})
    assert {p.name for p in tmp_path.iterdir()} == {"bundle"}


@pytest.mark.parametrize("file", ["generator.fp16.tflite", "golden.npz"])
def test_a_changed_file_is_refused_and_leaves_nothing(file, bundle, tmp_path):
    with (bundle.path / file).open("ab") as changed:
        changed.write(b"x")
    with pytest.raises(KgenError, match="is not the file that was exported"):
        write_starter(bundle, "kotlin", tmp_path / "app", name="Tiny")
    assert {p.name for p in tmp_path.iterdir()} == {"bundle"}


def test_nothing_is_overwritten_unasked(bundle, tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "thesis.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(KgenError, match="which holds something else"):
            write_starter(bundle, "swift", app, name="Tiny", force=force)
    assert [p.name for p in app.iterdir()] == ["thesis.txt"]


def test_force_replaces_a_starters_files_and_keeps_others(bundle, tmp_path):
    app = tmp_path / "app"
    app.mkdir()  # an empty folder may be there
    write_starter(bundle, "swift", app, name="Tiny")
    screen, own = app / "App" / "Screen.swift", app / "App" / "Own.swift"
    made = screen.read_text(encoding="utf-8")
    screen.write_text("changed")
    own.write_text("mine")
    with pytest.raises(KgenError, match="--force"):
        write_starter(bundle, "swift", app, name="Tiny")
    assert screen.read_text() == "changed"
    write_starter(bundle, "swift", app, name="Tiny", force=True)
    assert screen.read_text(encoding="utf-8") == made
    assert own.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "slug"), [("Shoe Maker", "shoemakerapp"), ("Class", "classapp"), ("My App", "myapp")]
)
def test_names_for_machines_come_from_the_name(name, slug, bundle, tmp_path):
    write_starter(bundle, "kotlin", tmp_path / "app", name=name)
    gradle = (tmp_path / "app/app/build.gradle.kts").read_text(encoding="utf-8")
    assert f'applicationId = "com.example.{slug}"' in gradle
    strings = ElementTree.parse(tmp_path / "app/app/src/main/res/values/strings.xml")
    assert strings.findtext("string[@name='app_name']") == name
