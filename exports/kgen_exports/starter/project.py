"""Write a starter: templates of a language, filled in for a bundle, and the bundle's files."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from kgen.errors import KgenError
from kgen_exports.export import move, staging
from kgen_exports.handbook import MODELS
from kgen_exports.manifest import FILE_NAME, FileEntry
from kgen_exports.programs import fill_text
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.bundle import check_file
from kgen_exports.starter.contents import TOLD, choose_files, starter_json

STARTER_NAME = "starter.json"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)*")
MAX_NAME = 30
FILLED = ".in"
"""Suffix of the templates that are filled in; the others are copied as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """What the starters of a language are made of.

    Attributes:
        runtimes: that the templates can bind, the best first.
        assets: folder of the model files.
        noise: place of the noise file.
        noise_name: the noise file in snippets/.
        package: line that the language wants at the top of every file; empty where it wants none.
        versions: of tools and packages, by the name in the templates.
    """

    runtimes: tuple[str, ...]
    assets: str
    noise: str
    noise_name: str
    package: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


LANGUAGES = {
    "kotlin": Language(
        runtimes=("litert", "onnxruntime"),
        assets="app/src/main/assets",
        noise="core/src/main/kotlin/dev/kgen/starter/KgenNoise.kt",
        noise_name="noise.kt",
        package="package dev.kgen.starter\n\n",
        # Gradle, plugins and SDKs: what React Native 0.85 builds with. LiteRT: what
        # react-native-fast-tflite 3.0 builds with.
        versions={
            "agp": "8.12.0", "kotlin": "2.1.20", "gradle": "8.13", "compile_sdk": "36",
            "min_sdk": "24", "litert": "1.4.0", "onnxruntime": "1.22.0",
        },
    ),
    "swift": Language(
        runtimes=("onnxruntime", "litert"),
        assets="App/Resources",
        noise="KgenCore/Sources/KgenCore/KgenNoise.swift",
        noise_name="noise.swift",
        # TensorFlow Lite: what react-native-fast-tflite 3.0 builds with.
        versions={
            "ios": "16.0", "onnxruntime_swift": "1.20.0", "tensorflow_lite_swift": "2.17.0",
        },
    ),
    "react-native": Language(
        runtimes=("litert",),
        assets="assets",
        noise="core/noise.js",
        noise_name="noise.js",
        versions={
            "expo": "56.0.23", "react": "19.2.3", "react_native": "0.85.3",
            "fast_tflite": "3.0.1", "nitro_modules": "0.35.9", "safe_area_context": "5.7.0",
            "types_react": "19.2.9", "typescript": "5.9.3",
        },
    ),
}  # fmt: skip


def write_starter(
    bundle: Bundle, language: str, out: Path, *, name: str, force: bool = False,
    precision: str = "fp16", runtime: str | None = None,
) -> list[Path]:  # fmt: skip
    """Write a project of a native app that draws with a bundle's files.

    Args:
        bundle: of any kind.
        language: ``kotlin`` (Android), ``swift`` (iOS) or ``react-native`` (both).
        out: the project's folder; nothing is there until all is done.
        name: of the app, for people: letters, digits and single spaces.
        force: write over the files of a starter that is there; files that are not a starter's stay.
        precision: of the model files; of fp16, fp32 where there is no such file.
        runtime: ``onnxruntime`` or ``litert``; None takes what is best in this language.

    Returns:
        The files that were written.

    Raises:
        KgenError: a wrong argument, no file that fits, a changed file, or something at `out`.
    """
    made = _known(language, LANGUAGES, "language")
    runtimes = made.runtimes if runtime is None else (runtime,)
    _known(runtimes[0], made.runtimes, "runtime")
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise KgenError(
            f"The name of an app is up to {MAX_NAME} letters, digits and single spaces, a letter "
            f"first. Received: name={name!r}."
        )
    used, files = choose_files(bundle, runtimes, precision)
    _check_free(out, made, force)
    for entry in files.values():
        check_file(bundle.path / entry.path, entry.bytes, entry.sha256)
    kind = "ddpm" if bundle.manifest.sampler is not None else "z"
    with staging(out) as folder:
        root = resources.files("kgen_exports") / "starter" / language
        values = values_of(bundle, made, name, used, files)
        for overlay in ("common", kind, used):
            _write_templates(root / overlay, folder, values, {kind, used})
        _write_noise(made, folder)
        assets = folder / made.assets
        assets.mkdir(parents=True, exist_ok=True)
        for path in (FILE_NAME, *(entry.path for entry in files.values())):
            shutil.copyfile(bundle.path / path, assets / path)
        text = starter_json(bundle.manifest, files, bundle.golden())
        (assets / STARTER_NAME).write_text(text, encoding="utf-8")
        written = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
        _put(folder, out, written)
    return [out / path for path in written]


def values_of(
    bundle: Bundle, language: Language, name: str, runtime: str, files: Mapping[str, FileEntry]
) -> dict[str, Any]:
    """Return what the templates are filled with."""
    joined = name.replace(" ", "")
    # With "app" at its end it is no keyword of a language, and no package's name.
    slug = joined.lower() if joined.lower().endswith("app") else f"{joined.lower()}app"
    image = bundle.manifest.image
    return {
        **language.versions,
        "name": name,
        "slug": slug,
        "identifier": f"{joined}App",
        "model": MODELS[bundle.manifest.kind],
        "size": f"{image['height']} x {image['width']}",
        "kgen": bundle.manifest.kgen,
        "seed": bundle.manifest.golden["seed"],
        "runtime": TOLD[runtime],
        "files": ", ".join(f"`{entry.path}`" for entry in files.values()),
        "models": "\n".join(
            f"  {part}: require('./assets/{entry.path}')," for part, entry in files.items()
        ),
    }


def _known(name: str, names: Any, argument: str) -> Any:
    """Look up a name, or raise KgenError with those that there are."""
    if name not in names:
        raise KgenError(f"{argument} takes one of {', '.join(names)}. Received: {argument}={name}.")
    return names[name] if isinstance(names, Mapping) else name


def _check_free(out: Path, language: Language, force: bool) -> None:
    """Refuse a folder that holds something, unless it is a starter and `force` is set."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / language.assets / STARTER_NAME).is_file():
        raise KgenError(
            f"A starter is written into an empty folder. Received: {out}, which holds something "
            "else. Choose another."
        )
    if not force:
        raise KgenError(
            f"{out} holds a starter. Write over its files with --force, which undoes changes to "
            "them, or choose another folder."
        )


def _write_templates(
    source: Traversable, target: Path, values: Mapping[str, Any], words: set[str]
) -> None:
    """Copy a folder of templates; fill in those that end in `FILLED`."""
    if not source.is_dir():
        return
    for item in source.iterdir():
        # A file named .gitignore would be obeyed here, too.
        name = ".gitignore" if item.name == "gitignore" else item.name.removesuffix(FILLED)
        if item.is_dir():
            _write_templates(item, target / name, values, words)
            continue
        text = item.read_text(encoding="utf-8")
        if item.name.endswith(FILLED):
            text = fill_text(text, values, words) + "\n"
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text, encoding="utf-8")


def _write_noise(language: Language, folder: Path) -> None:
    """Copy the noise file of the language."""
    source = resources.files("kgen_exports") / "snippets" / language.noise_name
    path = folder / language.noise
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(language.package + source.read_text(encoding="utf-8"), encoding="utf-8")


def _put(folder: Path, out: Path, written: list[Path]) -> None:
    """Move a finished folder into place; replace files one by one in a folder that is there."""
    if not out.exists():
        move(folder, out)
        return
    for path in written:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / path, out / path)
