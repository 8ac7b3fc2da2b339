"""The programs in a bundle's README: pieces from snippets/readme, put together for its files.

Lines of a piece that begin with ``?word`` are kept where the word applies, so that a program holds
what its file needs and no more.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from kgen_exports.manifest import PRECISIONS, FileEntry, Manifest, PartEntry
from kgen_exports.proof import FP32_SHARE, LEAST_DB
from kgen_exports.runtime import session

LANGUAGES = {"python": "py", "javascript": "js", "kotlin": "kt", "swift": "swift"}
"""Suffix of each language's files."""
RUNTIMES = {
    "python": ("onnxruntime", "litert"),
    "javascript": ("onnxruntime",),
    "kotlin": ("onnxruntime", "litert"),
    "swift": ("onnxruntime", "litert"),
}
SHIPPING = ("fp16", "fp32", "int8", "int8-static")
"""Precisions in the order of what an app should ship."""
EXPECTED = 8
"""Numbers of a golden picture that are in the code for apps, which cannot read golden.npz."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to draw a picture: a part, and the kind of code around it.

    Attributes:
        code: ``z``, ``sampler`` or ``loop``: the name of the pieces.
        part: name of the part.
        stem: name of the program's file.
        title: what it is, for a heading.
    """

    code: str
    part: str
    stem: str
    title: str


WAYS = (
    Way(code="z", part="generator", stem="draw", title="noise in, picture out"),
    Way(code="z", part="decoder", stem="draw", title="noise in, picture out"),
    Way(code="sampler", part="sampler", stem="draw", title="all steps in one call"),
    Way(code="loop", part="denoiser", stem="steps", title="step by step, with progress"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program for a heading and a block of code.

    Attributes:
        name: of its file.
        title: what it is.
        code: the whole file.
    """

    name: str
    title: str
    code: str


def ways(manifest: Manifest) -> list[Way]:
    """List the ways to draw that a bundle offers, the simplest first."""
    return [w for w in WAYS if w.part in manifest.parts and manifest.parts[w.part].files]


def best_file(part: PartEntry, form: str, any_batch: bool) -> FileEntry | None:
    """Choose the file that a program opens: what to ship, for any batch or for a fixed one."""
    found = [entry for entry in part.files if entry.format == form]
    return min(
        found,
        key=lambda e: (SHIPPING.index(e.precision), (e.batch is None) != any_batch),
        default=None,
    )


def least_db(precision: str) -> float:
    """Return the PSNR of a picture below which a file of this precision is not the model."""
    return LEAST_DB.get(precision, math.floor(-20 * math.log10(FP32_SHARE)))


def precisions(manifest: Manifest) -> list[str]:
    """List the precisions of a bundle's files, and fp32, the largest first."""
    found = {"fp32", *(entry.precision for _, entry in manifest.files())}
    return [name for name in PRECISIONS if name in found]


def fill(name: str, values: Mapping[str, Any], words: set[str]) -> str:
    """Fill in a piece of snippets/readme, without the lines of words that do not apply."""
    folder = resources.files("kgen_exports") / "snippets" / "readme"
    return fill_text((folder / f"{name}.txt").read_text(encoding="utf-8"), values, words)


def fill_text(text: str, values: Mapping[str, Any], words: set[str]) -> str:
    """Fill in a template, without the ``?word`` lines of words that do not apply."""
    kept = []
    for line in text.splitlines():
        word, _, rest = line[1:].partition(" ") if line.startswith("?") else ("", "", line)
        if not word or word in words:
            kept.append(rest)
    return Template("\n".join(kept)).substitute(values)


def words_of(manifest: Manifest) -> set[str]:
    """Return the words that apply to a bundle as a whole."""
    words = {manifest.image["colour"], *(way.code for way in ways(manifest))}
    if manifest.sampler is not None:
        words.add("stochastic" if manifest.sampler.stochastic else "deterministic")
        if manifest.sampler.multistep:
            words.add("multistep")
    return words


class Programs:
    """The programs of a bundle.

    Args:
        manifest: with the files that are in it.
        golden: its golden cases.
    """

    def __init__(self, manifest: Manifest, golden: Mapping[str, np.ndarray]):
        self.manifest, self.golden = manifest, golden

    def of(self, language: str) -> Iterator[Program]:
        """Yield a language's programs, that which draws noise first; none where no file fits."""
        suffix, drawing = LANGUAGES[language], list(self._drawing(language))
        if drawing:
            noise = resources.files("kgen_exports") / "snippets" / f"noise.{suffix}"
            text = noise.read_text(encoding="utf-8")
            yield Program(name=f"noise.{suffix}", title="the same noise everywhere", code=text)
        yield from drawing
        if drawing and language == "javascript":
            values = self._values(language, None) | {"module": drawing[0].name}
            code = fill("javascript_page", values, set())
            yield Program(name="page.js", title="onto the canvas of a page", code=code)
        if language == "python":
            yield from self._reading()

    def _drawing(self, language: str) -> Iterator[Program]:
        """Yield the programs that draw."""
        for way in ways(self.manifest):
            for runtime in RUNTIMES[language]:
                part = self.manifest.parts[way.part]
                entry = best_file(part, session.RUNTIMES[runtime], any_batch=language == "python")
                if entry is None:
                    continue
                stem = f"{way.stem}_litert" if runtime == "litert" else way.stem
                told = {"onnxruntime": "ONNX Runtime", "litert": "LiteRT"}[runtime]
                yield Program(
                    name=f"{'KgenModel' if language in ('kotlin', 'swift') else stem}."
                    f"{LANGUAGES[language]}",
                    title=f"{way.title}, {told}",
                    code=self._program(language, runtime, way, entry),
                )

    def _program(self, language: str, runtime: str, way: Way, entry: FileEntry) -> str:
        """Put a program together."""
        part = self.manifest.parts[way.part]
        values = self._values(language, entry) | {"output": part.outputs[0].name}
        if language in ("kotlin", "swift"):
            values |= feeding(language, runtime, part, entry.batch or 1)
        if way.code == "loop":
            kind = {"kotlin": "String", "swift": "Data"}.get(language, "")
            values["manifest_parameter"] = f", manifest: {kind}"
            values["manifest_note"] = ", and what is in kgen.json"
        words = words_of(self.manifest) - {w.code for w in WAYS} | {way.code, entry.format}
        names = (f"{language}_{name}" for name in (runtime, way.code, "finish"))
        return "\n".join(fill(name, values, words) for name in names)

    def _reading(self) -> Iterator[Program]:
        """Yield Python programs for the parts that read pictures."""
        for name, part in self.manifest.parts.items():
            entry = best_file(part, "onnx", any_batch=True)
            case = f"{name}/in/image"
            if entry is None or case not in self.golden:
                continue
            values = self._values("python", entry) | {"part": name}
            values["names"] = ", ".join(f'"{spec.name}"' for spec in part.outputs)
            code = fill("python_reading", values, set())
            yield Program(name=f"{name}.py", title="pictures in, ONNX Runtime", code=code)

    def _values(self, language: str, entry: FileEntry | None) -> dict[str, Any]:
        """Return what pieces are filled with."""
        m, (low, high) = self.manifest, self.manifest.image["range"]
        drawing = [way.part for way in ways(m)]
        case = f"{'sampler' if m.sampler else next(iter(drawing), '')}/out/image"
        precision = entry.precision if entry else "fp32"
        fixed, least = entry and entry.batch, least_db(precision)
        limits = {p: f"{(high - low) * 10 ** (-least_db(p) / 20):.2g}" for p in precisions(m)}
        shape = {name: m.image[name] for name in ("height", "width", "channels")}
        return shape | {
            "size": math.prod(shape.values()), "latent": m.latent_dim,
            "steps": m.sampler.num_steps if m.sampler else 0, "seed": m.golden["seed"],
            "low": f"{low:g}", "high": f"{high:g}", "peak": f"{high - low:g}",
            "minus_low": "" if low == 0 else f" + {-low:g}" if low < 0 else f" - {low:g}",
            "golden": case, "expected": expected(language, self.golden.get(case)),
            "least": f"{least:g}",
            "limit": limits[precision],
            "limits": ", ".join(f"{limit} for {name}" for name, limit in limits.items()),
            "psnr": f"{entry.picture['psnr_db']:.1f}" if entry and entry.picture else "no",
            "file": entry.path if entry else "",
            "batch": fixed or (m.golden["count"] if language == "python" else 1),
            "batch_note": f"this file takes {'no other' if fixed else 'any'} number",
            "manifest_parameter": "", "manifest_note": "",
        }  # fmt: skip


def expected(language: str, pictures: np.ndarray | None) -> str:
    """Write some numbers of the first picture in a language: from its darkest to its lightest."""
    if pictures is None:
        return ""
    flat = pictures[0].reshape(-1)
    order = np.argsort(flat, kind="stable")
    places = order[np.linspace(0, len(order) - 1, EXPECTED).round().astype(int)]
    form = {"kotlin": "{} to {:.6f}f", "swift": "({}, {:.6f})"}.get(language, "[{}, {:.6f}]")
    listed = [form.format(place, float(flat[place])) for place in places]
    indent = {"javascript": 2, "kotlin": 12, "swift": 8}.get(language, 0) * " "
    return f",\n{indent}".join(", ".join(listed[i : i + 4]) for i in range(0, EXPECTED, 4))


def feeding(language: str, runtime: str, part: PartEntry, batch: int) -> dict[str, str]:
    """Write the parameters and the feeding of a part's inputs in Kotlin or Swift."""
    parameters, feeds = [], []
    for i, spec in enumerate(part.inputs):
        name, whole = spec.name, spec.dtype == "int32"
        shape = ", ".join(str(n) for n in (batch, *spec.shape[1:]))
        if language == "kotlin":
            kind = "Int" if whole else "Float"
            parameters.append(f"{name}: {kind}Array")
            buffer = f"{kind}Buffer.wrap({name})"
            tensor = f"OnnxTensor.createTensor(environment, {buffer}, longArrayOf({shape}))"
            feeds.append(f'"{name}" to {tensor if runtime == "onnxruntime" else buffer}')
        else:
            parameters.append(f"{name}: [{'Int32' if whole else 'Float'}]")
            kind = ".int32" if whole else ".float"
            tensor = f'"{name}": try tensor({name}, {kind}, [{shape}])'
            copy = f"try interpreter.copy({name}.withUnsafeBytes {{ Data($0) }}, toInputAt: {i})"
            feeds.append(tensor if runtime == "onnxruntime" else copy)
    lines = (language, runtime) == ("swift", "litert")
    glue = "\n        " if lines else ",\n            "
    return {"parameters": ", ".join(parameters), "feeds": glue.join(feeds)}
