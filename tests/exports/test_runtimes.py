"""The oldest runtimes that a bundle claims. That they run its files: tests/exports/devices."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from kgen_exports.manifest import FORMATS
from kgen_exports.runtime.session import MODULES, RUNTIMES
from kgen_exports.runtimes import OLDEST, PACKAGES, oldest

PROJECT = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
)["project"]


def test_every_runtime_has_an_oldest_version_and_a_package():
    assert OLDEST.keys() == PACKAGES.keys() == RUNTIMES.keys() == MODULES.keys()
    assert oldest(FORMATS) == OLDEST


def test_only_runtimes_of_the_formats_that_were_exported_are_named():
    assert oldest(("onnx",)) == {"onnxruntime": OLDEST["onnxruntime"]}
    assert oldest(("tflite",)) == {"litert": OLDEST["litert"]}


def test_what_kgen_installs_is_not_older_than_what_a_bundle_claims():
    # Else the export's own proof would run on what nobody has tried.
    floors = {}
    for requirement in map(Requirement, PROJECT["dependencies"]):
        for specifier in requirement.specifier:
            floors[requirement.name.removesuffix("-gpu")] = Version(specifier.version)
    for name, package in PACKAGES.items():
        assert floors[package] >= Version(OLDEST[name])
