"""Which bundles go into an app, under which names, and which of their files."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kgen.errors import KgenError
from kgen.run import CONFIG
from kgen_exports.manifest import GOLDEN_NAME, FileEntry, Manifest
from kgen_exports.runtime import Bundle, load
from kgen_exports.runtime.bundle import DRAWING_PART, check_file
from kgen_exports.runtime.session import RUNTIMES

USED_PARTS = {
    "gan": ("generator",),
    "ae": ("decoder", "encoder"),
    "vae": ("decoder", "encoder"),
    "ddpm": ("denoiser", "sampler"),
}
"""What the app runs, by the kind of model."""
WITHOUT_FP16 = "fp32"
"""Shipped of a part that has no file in the precision that is asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A bundle in an app.

    Attributes:
        name: for addresses and folders: lower-case letters, digits and dashes, unique in the app.
        title: for people.
        bundle: opened.
        files: those that are shipped.
        sources: the ONNX file that the JavaScript engine's files are made of, by part; empty for
            a model that it cannot run.
    """

    name: str
    title: str
    bundle: Bundle
    files: tuple[FileEntry, ...]
    sources: dict[str, FileEntry]

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    @property
    def drawing(self) -> str:
        """The part that draws pictures."""
        return DRAWING_PART[self.manifest.kind]

    def precisions(self, runtime: str) -> list[str]:
        """List the precisions in which its files draw in a runtime that has files."""
        part = self.manifest.parts.get(self.drawing)
        own = part.files if part else ()
        return [e.precision for e in self.files if e in own and e.format == RUNTIMES[runtime]]


def choose(
    folders: Sequence[Path], runtimes: Sequence[str], precisions: Sequence[str]
) -> tuple[Model, ...]:
    """Open bundles, choose their files, and check every file that is used against its hash.

    Args:
        folders: of the bundles.
        runtimes: of ``onnxruntime``, ``litert``, ``javascript``.
        precisions: of the files.

    Raises:
        KgenError: a folder is no bundle, is given twice or is of a newer kgen; a file is missing or
            changed; or no runtime could draw with a bundle.
    """
    if not folders:
        raise KgenError("An app takes at least one bundle. Received: none.")
    paths = [folder.resolve() for folder in folders]
    twice = next((path for path, count in Counter(paths).items() if count > 1), None)
    if twice is not None:
        raise KgenError(f"An app takes every bundle once. Received: {twice} twice.")
    bundles = [load(folder) for folder in folders]
    models = tuple(
        Model(
            name=name, title=title, bundle=bundle,
            files=_files(bundle.manifest, runtimes, precisions),
            sources=_sources(bundle.manifest) if "javascript" in runtimes else {},
        )
        for bundle, name, title in zip(bundles, _names(paths), _titles(bundles), strict=True)
    )  # fmt: skip
    for model in models:
        _check(model, runtimes, precisions)
    return models


def _names(paths: Sequence[Path]) -> list[str]:
    """Name bundles after their folders, or the runs whose exports they are; each differently."""
    names: list[str] = []
    for path in paths:
        folder = path.parent if (path.parent / CONFIG).is_file() else path
        base = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "model"
        name, number = base, 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names


def _titles(bundles: Sequence[Bundle]) -> list[str]:
    """Title bundles by their kind, numbered where there are several of one."""
    kinds = Counter(bundle.manifest.kind for bundle in bundles)
    seen: Counter[str] = Counter()
    titles = []
    for bundle in bundles:
        kind = bundle.manifest.kind
        seen[kind] += 1
        titles.append(kind.upper() if kinds[kind] == 1 else f"{kind.upper()} {seen[kind]}")
    return titles


def _files(
    manifest: Manifest, runtimes: Sequence[str], precisions: Sequence[str]
) -> tuple[FileEntry, ...]:
    """Choose files of the parts that the app runs: one for each runtime and precision."""
    chosen = []
    for part in (p for p in USED_PARTS[manifest.kind] if p in manifest.parts):
        for form in (RUNTIMES[name] for name in runtimes if name in RUNTIMES):
            entries = manifest.parts[part]
            found = [entry for precision in precisions for entry in entries.of(form, precision)[:1]]
            chosen += found or entries.of(form, WITHOUT_FP16)[:1]
    return tuple(chosen)


def _sources(manifest: Manifest) -> dict[str, FileEntry]:
    """Find what the JavaScript engine's files are made of: a part's ONNX file, the exactest."""
    if manifest.kind == "ddpm":
        return {}
    found = {}
    for part in (p for p in USED_PARTS[manifest.kind] if p in manifest.parts):
        entries = manifest.parts[part]
        for entry in [*entries.of("onnx", "fp32"), *entries.of("onnx", "fp16")][:1]:
            found[part] = entry
    return found


def _check(model: Model, runtimes: Sequence[str], precisions: Sequence[str]) -> None:
    """Check a model's files against their hashes, and that one of them draws pictures.

    Raises:
        KgenError: a file is missing or changed, or none draws.
    """
    bundle, manifest = model.bundle, model.manifest
    golden = manifest.golden
    check_file(bundle.path / GOLDEN_NAME, golden["bytes"], golden["sha256"])
    for entry in {e.path: e for e in (*model.files, *model.sources.values())}.values():
        check_file(bundle.path / entry.path, entry.bytes, entry.sha256)
    drawing = model.drawing
    if drawing in model.sources or any(model.precisions(runtime) for runtime in RUNTIMES):
        return
    own = manifest.parts[drawing].files if drawing in manifest.parts else ()
    there = ", ".join(sorted({f"{entry.format} {entry.precision}" for entry in own})) or "no file"
    raise KgenError(
        f"{bundle.path} has of its {drawing}: {there}. That is nothing for the app with "
        f"--runtimes {','.join(runtimes)} --precision {','.join(precisions)}. Export it with: "
        "kgen export RUN --onnx --tflite"
    )
