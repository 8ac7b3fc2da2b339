"""The web app as a folder of files that any web server, or none, can hand out."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgen import __version__
from kgen.errors import KgenError
from kgen.files import write_text
from kgen_exports import proof
from kgen_exports.app import install, licences, offline, packages, plain, vendor
from kgen_exports.app.models import Model, choose
from kgen_exports.manifest import FILE_NAME, GOLDEN_NAME, PRECISIONS
from kgen_exports.runtime.session import RUNTIMES
from kgen_exports.staging import check_free, move, staging

SCHEMA = "kgen-app-1"
APP_NAME = "app.json"
RUNTIME_NAMES = ("onnxruntime", "litert", "javascript")
"""In the order of preference: the last needs no WebAssembly."""
DELIVERIES = ("site", "single", "package")
"""How the app reaches people: by a web server, as one file, in a package."""
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What an app is to be.

    Attributes:
        title: for people; None makes one of the models' kinds.
        runtimes: of :data:`RUNTIME_NAMES`, those that are shipped.
        precisions: of the files; a part that has none of them comes in fp32.
        tarballs: folder of npm packages; None asks the cache, then npm.
        delivery: of :data:`DELIVERIES`.
    """

    title: str | None = None
    runtimes: tuple[str, ...] = RUNTIME_NAMES
    precisions: tuple[str, ...] = ("fp16",)
    tarballs: Path | None = None
    delivery: str = "site"

    def __post_init__(self) -> None:
        for option, values, known in (
            ("runtimes", self.runtimes, RUNTIME_NAMES),
            ("precision", self.precisions, PRECISIONS),
            ("delivery", (self.delivery,), DELIVERIES),
        ):
            odd = [value for value in values if value not in known]
            if odd or not values:
                raise KgenError(
                    f"{option} takes {', '.join(known)}. "
                    f"Received: {option}={','.join(values) or 'none'!r}."
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What was built.

    Attributes:
        path: the folder.
        app: what app.json says.
        bytes: of all its files.
        notes: what is not in it that was asked for, and why.
    """

    path: Path
    app: dict[str, Any]
    bytes: int
    notes: tuple[str, ...]


def is_site(folder: Path) -> bool:
    """Tell whether a folder is a site that kgen built, so that it may be replaced."""
    try:
        found = json.loads((folder / APP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("schema") == SCHEMA


def build_site(
    bundles: Sequence[Path], out: Path, wishes: Wishes | None = None, *, force: bool = False,
    say: Say = lambda line: None,
) -> Site:  # fmt: skip
    """Build the web app with the files of some bundles.

    Args:
        bundles: their folders.
        out: the site's folder; nothing is there until all is done.
        wishes: what it is to be.
        force: write over a site that is there.
        say: told each step.

    Raises:
        KgenError: `out` holds something, a bundle is damaged or of a newer kgen, no runtime could
            run one, the runtimes cannot be had, or the disk is full.
    """
    wishes = wishes or Wishes()
    check_free(out, force, holds="site", ours=is_site)
    say("checking the bundles")
    models = choose(bundles, wishes.runtimes, wishes.precisions)
    runtimes = _needed(models, wishes.runtimes)
    files = packages.fetch(runtimes, wishes.tarballs, say)
    with staging(out) as folder:
        say("writing the app")
        copy_sources(folder)
        vendor.copy(files, folder)
        notes: list[str] = []
        entries = [_write_model(model, folder, notes) for model in models]
        if not any(entry["plain"] for entry in entries):
            runtimes = tuple(name for name in runtimes if name != "javascript")
        app = _app(wishes, runtimes, entries)
        write_text(folder / APP_NAME, json.dumps(app, indent=2) + "\n")
        install.write(folder, models, app["title"])
        licences.write(folder, models, runtimes)
        if wishes.delivery == "site":
            offline.fill(folder)
        else:
            (folder / offline.WORKER).unlink()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        move(folder, out)
    notes += [f"no model has files for {n}" for n in wishes.runtimes if n not in runtimes]
    return Site(path=out, app=app, bytes=size, notes=tuple(notes))


def web_sources() -> Path:
    """Return the folder of the app's own files: in a checkout beside the package, else in it."""
    package = Path(proof.__file__).parent
    beside = package.parent / "web"
    return beside if (beside / "index.html").is_file() else package / "web"


def copy_sources(folder: Path) -> None:
    """Copy what a person wrote, and the noise generator that every app of kgen's shares."""
    sources = web_sources()
    for source in (path for path in sorted(sources.rglob("*")) if path.is_file()):
        target = folder / source.relative_to(sources)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    snippets = Path(proof.__file__).parent / "snippets"
    shutil.copyfile(snippets / "noise.js", folder / "engine" / "noise.js")


def _needed(models: Sequence[Model], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return those of the runtimes that have a file to run."""
    forms = {entry.format for model in models for entry in model.files}
    able = {name for name, form in RUNTIMES.items() if form in forms}
    if any(model.sources for model in models):
        able.add("javascript")
    return tuple(name for name in RUNTIME_NAMES if name in wanted and name in able)


def _write_model(model: Model, folder: Path, notes: list[str]) -> dict[str, Any]:
    """Copy a model's files, make those of the JavaScript engine, and describe them."""
    target = folder / "models" / model.name
    target.mkdir(parents=True)
    for name in (FILE_NAME, GOLDEN_NAME, *(entry.path for entry in model.files)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model.bundle.path / name, target / name)
    made = {}
    for part, entry in model.sources.items():
        try:
            made[part] = plain.write(model.bundle.path / entry.path, target, part)
        except KgenError as error:
            if not model.files:  # nothing else could draw
                raise
            notes.append(f"{model.name}'s {part} is not in plain JavaScript: {error}")
    return {
        "name": model.name,
        "title": model.title,
        "folder": f"models/{model.name}/",
        "files": [entry.path for entry in model.files],
        "plain": made,
        "precisions": {
            **{runtime: model.precisions(runtime) for runtime in RUNTIMES},
            "javascript": [plain.PRECISION] if model.drawing in made else [],
        },
    }


def _app(
    wishes: Wishes, runtimes: Sequence[str], models: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Say in JSON what the app consists of."""
    return {
        "schema": SCHEMA,
        "title": wishes.title or f"kgen: {', '.join(model['title'] for model in models)}",
        "kgen": __version__,
        "delivery": wishes.delivery,
        "runtimes": list(runtimes),
        "gates": {"fp32_share": proof.FP32_SHARE, "least_db": proof.LEAST_DB},
        "models": list(models),
    }
