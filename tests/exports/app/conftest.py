"""Bundles without Keras, and stand-ins for the runtimes, which only the web tests fetch."""

import json
import shutil
from pathlib import Path

import pytest

from kgen_exports.app import packages, vendor
from kgen_exports.app.site import build_site
from tests.exports import tiny_bundle

KINDS = ("gan", "vae", "ddpm")


@pytest.fixture(scope="session")
def _made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for kind in KINDS:
        tiny_bundle.make(folder / kind, kind)
    return folder


@pytest.fixture
def bundles(_made, tmp_path) -> Path:
    """Return a folder with the bundles gan/, vae/ and ddpm/, to damage at will; ONNX only."""
    return Path(shutil.copytree(_made, tmp_path / "bundles"))


@pytest.fixture(autouse=True)
def runtime_files(tmp_path_factory, monkeypatch) -> list[tuple[str, ...]]:
    """Let the packages be in the cache, small; return the list of what was asked for."""
    folder = tmp_path_factory.mktemp("npm")
    asked = []

    def fetch(runtimes, tarballs=None, say=lambda line: None):
        asked.append(tuple(runtimes))
        found = {}
        for package in (p for name in runtimes for p in packages.OF_RUNTIME[name]):
            for name in package.files:
                path = folder / package.label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                imports = name == "dist/index.js" and package is packages.LITERT
                path.write_text(f"import {{ x }}{vendor.NAMED}\n" if imports else f"// {name}\n")
                found[package.name, name] = path
        return found

    monkeypatch.setattr("kgen_exports.app.site.packages.fetch", fetch)
    return asked


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def site(bundles, tmp_path):
    """Build a site of all three bundles."""
    return build_site([bundles / kind for kind in KINDS], tmp_path / "site")


def edit_manifest(folder: Path, change) -> None:
    """Change the JSON of a bundle."""
    path = folder / "kgen.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def as_tflite(folder: Path) -> None:
    """Call the ONNX files of a bundle TFLite: here only names and hashes matter."""

    def change(values):
        for part in values["parts"].values():
            kept = [f for f in part["files"] if f["batch"] is not None]
            for file in kept:
                old = folder / file["path"]
                file["path"] = file["path"].replace(".b1.onnx", ".tflite")
                old.rename(folder / file["path"])
                file.update(format="tflite", opset=None)
            part["files"] = kept

    edit_manifest(folder, change)
