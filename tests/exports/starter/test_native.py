"""Starters compiled and run by the compilers of their languages: pytest -m starters."""

import json
import re
import shutil
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.exports.starter import harness, toolchains

pytestmark = pytest.mark.starters

HERE = Path(__file__).parent
# The runtime of each kind of project: so every template is compiled once.
PROJECTS = {"z": ("gan", "litert"), "ddpm": ("ddpm", "onnxruntime")}
RESOURCES = "package dev.kgen.starter\n\nobject R {{\n{}}}\n"


def overlay_of(kind: str) -> str:
    """Return the kind of project that a bundle's kind has."""
    return "ddpm" if kind.startswith("ddpm") else "z"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {kind: harness.make(folder / kind, kind) for kind in harness.KINDS}


# Kotlin.


@pytest.fixture(scope="module")
def kotlin(bundles, tmp_path_factory):
    """Return a function that runs the program that asks, compiled with a kind of project."""

    @cache
    def compiled(overlay: str) -> str:
        kind, runtime = PROJECTS[overlay]
        folder = tmp_path_factory.mktemp("kotlin")
        app = harness.project(bundles[kind], "kotlin", folder / "app", runtime=runtime)
        command, jars = toolchains.kotlin()
        classes = folder / "classes"
        path = ":".join(map(str, [*jars, declarations(folder)]))
        (folder / "R.kt").write_text(RESOURCES.format(resources(app)), encoding="utf-8")
        sources = [
            app / "core/src/main/kotlin", app / "app/src/main/kotlin", folder / "R.kt",
            HERE / "Harness.kt", HERE / f"HarnessTables.{overlay}.kt",
        ]  # fmt: skip
        toolchains.run(*command, "-cp", path, "-d", classes, *sources)
        return f"{classes}:{path}"

    def run(overlay: str, assets: Path, case: Path) -> dict:
        main = "dev.kgen.starter.HarnessKt"
        return json.loads(toolchains.run("java", "-cp", compiled(overlay), main, assets, case))

    return run


def declarations(folder: Path) -> Path:
    """Compile the declarations of Android and the runtimes; return the folder of their classes."""
    text = (HERE / "declarations" / "android.java.txt").read_text(encoding="utf-8")
    files = []
    for block in text.split("// file: ")[1:]:
        name, _, code = block.partition("\n")
        files.append(folder / "java" / name)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_text(code, encoding="utf-8")
    classes = folder / "declared"
    toolchains.need("javac", "default-jdk-headless")
    toolchains.run("javac", "-d", classes, *files)
    return classes


def resources(app: Path) -> str:
    """Write the constants that Android's tools make of the resources, as Kotlin."""
    res = app / "app/src/main/res"
    layout = (res / "layout/activity_main.xml").read_text(encoding="utf-8")
    strings = ElementTree.parse(res / "values/strings.xml").getroot()
    found = {
        "id": re.findall(r'@\+id/(\w+)"', layout),
        "layout": ["activity_main"],
        "string": [item.attrib["name"] for item in strings],
    }
    used = set(re.findall(r"@string/(\w+)", layout))
    assert used <= set(found["string"])
    return "".join(
        f"    object {kind} {{\n"
        + "".join(f"        const val {name} = {i}\n" for i, name in enumerate(names))
        + "    }\n"
        for kind, names in found.items()
    )


@pytest.mark.parametrize("kind", harness.KINDS)
def test_kotlin_draws_what_kgen_draws(kind, kotlin, bundles, tmp_path):
    bundle = bundles[kind]
    app = harness.project(bundle, "kotlin", tmp_path / "app", precision="fp32")
    case = harness.write_case(tmp_path / "case.json", bundle)
    found = kotlin(overlay_of(kind), app / "app/src/main/assets", case)
    harness.verify(found, bundle)
    height, width, _ = bundle.image_shape
    argb = np.array(found["pixels"], np.int32).view(np.uint8).reshape(height, width, 4)
    # On this machine's order of bytes: blue, green, red, 255.
    verify_bytes(argb[..., 2::-1], argb[..., 3], found, bundle)


def verify_bytes(rgb: np.ndarray, alpha: np.ndarray, found: dict, bundle) -> None:
    """Compare bytes with kgen's; one on the border of two values may fall on either side."""
    off = np.abs(rgb.astype(int) - harness.bytes_of(found, bundle))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01
    assert (alpha == 255).all()


# Swift.


@pytest.mark.parametrize("overlay", PROJECTS)
def test_swift_draws_what_kgen_draws_and_the_app_speaks_its_runtimes_names(
    overlay, bundles, tmp_path
):
    kinds = [kind for kind in harness.KINDS if overlay_of(kind) == overlay]
    _, runtime = PROJECTS[overlay]
    for number, kind in enumerate(kinds):
        options = {"precision": "fp32", "runtime": runtime}
        harness.project(bundles[kind], "swift", tmp_path / f"app{number}", **options)
        harness.write_case(tmp_path / f"case{number}.json", bundles[kind])
    shutil.copytree(HERE / "declarations", tmp_path / "declarations")
    shutil.copy(HERE / "Harness.swift", tmp_path / "main.swift")
    shutil.copy(HERE / f"HarnessTables.{overlay}.swift", tmp_path / "tables.swift")
    module = {"litert": "TensorFlowLite", "onnxruntime": "OnnxRuntimeBindings"}[runtime]
    lines = toolchains.swift(SWIFT.format(module=module, count=len(kinds)), tmp_path).splitlines()
    assert len(lines) == len(kinds)
    for line, kind in zip(lines, kinds, strict=True):
        found, bundle = json.loads(line), bundles[kind]
        harness.verify(found, bundle)
        height, width, _ = bundle.image_shape
        rgba = np.array(found["pixels"], np.uint8).reshape(height, width, 4)
        verify_bytes(rgba[..., :3], rgba[..., 3], found, bundle)


# The core is compiled as the package that it is, for the app, and with the program that asks. Of
# the views only the syntax can be checked: Linux has no SwiftUI.
SWIFT = """
compile="swiftc -swift-version 5 -warnings-as-errors"
declare() {{ $compile -emit-module -module-name $1 -parse-as-library declarations/$1.swift; }}
$compile -emit-module -module-name KgenCore -parse-as-library app0/KgenCore/Sources/KgenCore/*.swift
for module in {module} Combine CoreGraphics; do declare $module; done
echo 'import CoreGraphics; import KgenCore
func cgImage(_ picture: [Float], _ image: ImageSpec) -> CGImage? {{ nil }}' > picture.swift
$compile -typecheck -I . -parse-as-library picture.swift \
    app0/App/Runtime.swift app0/App/Resource.swift app0/App/Studio.swift app0/App/Screen.swift
swiftc -frontend -parse app0/App/*.swift
swiftc -frontend -parse app0/KgenCore/Package.swift
$compile -o asks app0/KgenCore/Sources/KgenCore/*.swift main.swift tables.swift
for i in $(seq 0 $(({count} - 1))); do
    ./asks app$i/App/Resources case$i.json
    echo
done
"""


# React Native.


@pytest.mark.parametrize("kind", ["gan", "ddpm"])
def test_react_native_type_checks_and_bundles(kind, bundles, tmp_path):
    app = harness.project(bundles[kind], "react-native", tmp_path / "app")
    kept = toolchains.KEPT / "npm" / "node_modules"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(app / "package.json", kept.parent)
        toolchains.npm_install(kept.parent)
    shutil.copytree(kept, app / "node_modules", symlinks=True)
    toolchains.node("typescript/bin/tsc", cwd=app)
    toolchains.node("expo/bin/cli", "export", "--platform", "android", cwd=app)
    metadata = json.loads((app / "dist" / "metadata.json").read_text())["fileMetadata"]["android"]
    assert (app / "dist" / metadata["bundle"]).stat().st_size > 2**20
    shipped = [asset for asset in metadata["assets"] if asset["ext"] == "tflite"]
    assert len(shipped) == len(bundles[kind].manifest.parts)
    prebuild = ("expo/bin/cli", "prebuild", "--no-install", "--platform", "android")
    toolchains.node(*prebuild, cwd=app)
    assert "com.example.tinytestapp" in (app / "android/app/build.gradle").read_text()
