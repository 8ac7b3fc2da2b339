"""The proof: every file is run and compared with what Keras drew.

Each check opens the file anew in its own runtime, feeds the golden inputs by name, and compares
names, then shapes, then values. Tolerances and where they come from: docs/export.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kgen.errors import KgenError
from kgen_exports.manifest import FileEntry, Manifest, TensorSpec
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.session import RUNTIMES, Session, installed
from kgen_exports.sampler import walk

FP32_SHARE = 5e-5
"""Largest error of fp32, as a share of the output's range: 1e-4 of pictures in [-1, 1]."""
LEAST_DB = {"fp16": 50.0, "int8": 30.0, "int8-static": 30.0}
"""Least PSNR of the finished picture, in decibels."""
FRESH_LOOPS = 12
"""Fresh interpreters for a TFLite loop, whose first run is where LiteRT has been seen to fail."""

Golden = Mapping[str, np.ndarray]
Error = dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What became of one file.

    Attributes:
        part: whose file it is.
        entry: the file, with the errors measured now.
        problem: why it is not good enough; None if it is.
        deviations: differences per picture and pixel of the output that decides, for a histogram.
        drawn: the golden pictures as the file draws them, float32 (n, height, width, channels);
            None where it draws none, or what it drew is not finite.
    """

    part: str
    entry: FileEntry
    problem: str | None
    deviations: np.ndarray
    drawn: np.ndarray | None = None


def compare(output: np.ndarray, reference: np.ndarray, peak: float) -> Error:
    """Measure how far an output is from Keras's.

    Args:
        output: of a file.
        reference: Keras's, of the same shape.
        peak: the output's range, from lowest to highest.

    Returns:
        ``max_abs``; ``psnr_db``, 20 log10(peak / RMSE), at most 200; ``peak``.
    """
    difference = output.astype(np.float64) - reference
    rmse = max(float(np.sqrt(np.mean(difference**2))), peak * 1e-10)
    return {
        "max_abs": float(np.abs(difference).max()),
        "psnr_db": float(20 * np.log10(peak / rmse)),
        "peak": peak,
    }


def peak_of(spec: TensorSpec, reference: np.ndarray) -> float:
    """Return the range of an output: the declared one, or that of Keras's golden outputs."""
    if spec.range is not None:
        return float(spec.range[1] - spec.range[0])
    return max(float(reference.max() - reference.min()), 1e-6)


def problem_of(precision: str, error: Mapping[str, float]) -> str | None:
    """Say why an error is too large for a precision, or None if it is not."""
    if precision == "fp32":
        allowed = FP32_SHARE * error["peak"]
        if error["max_abs"] <= allowed:
            return None
        return f"largest error {error['max_abs']:.2g}, at most {allowed:.2g} is allowed"
    least = LEAST_DB[precision]
    if error["psnr_db"] >= least:
        return None
    return f"{error['psnr_db']:.1f} dB, at least {least:.0f} dB are asked for"


def prove(
    bundle: Bundle, say: Callable[[str], None] = lambda line: None
) -> tuple[list[Check], dict[str, int]]:
    """Check every file of a bundle against the golden cases.

    Returns:
        The checks, and by runtime the number of files that were not checked because it is not
        installed here.

    Raises:
        KgenError: a file is missing or changed, or no runtime is installed.
    """
    golden = bundle.golden()
    here = {RUNTIMES[name] for name in installed()}
    if not here:
        raise KgenError("No runtime is installed. pip install onnxruntime ai-edge-litert")
    checks, skipped = [], dict[str, int]()
    for part, entry in bundle.manifest.files():
        if entry.format in here:
            say(f"checking {entry.path}")
            checks.append(check(bundle, part, entry, golden))
        else:
            runtime = next(name for name, form in RUNTIMES.items() if form == entry.format)
            skipped[runtime] = skipped.get(runtime, 0) + 1
    return checks, skipped


def check(bundle: Bundle, part: str, entry: FileEntry, golden: Golden) -> Check:
    """Run a file on the golden inputs and compare.

    Args:
        bundle: in whose folder the file lies.
        part: whose file it is.
        entry: the file.
        golden: from the export, or :meth:`Bundle.golden`.

    Raises:
        KgenError: the file is missing, changed, or cannot be opened.
    """
    specs = bundle.manifest.parts[part]
    feeds = golden_inputs(bundle.manifest, part, golden)
    reference = {spec.name: golden[f"{part}/out/{spec.name}"] for spec in specs.outputs}
    open_anew: Callable[[], Session] = lambda: bundle.fresh_session(entry)  # noqa: E731
    session = open_anew()
    problem = _wrong_names(session, specs.inputs, specs.outputs)
    if problem:
        return Check(part=part, entry=entry, problem=problem, deviations=np.zeros(0))
    outputs = _run(session, open_anew, feeds, entry, part)
    for name, expected in reference.items():
        problem = problem or _wrong_values(name, outputs[name], expected)
    if problem:
        return Check(part=part, entry=entry, problem=problem, deviations=np.zeros(0))
    errors = {
        spec.name: compare(
            outputs[spec.name], reference[spec.name], peak_of(spec, reference[spec.name])
        )
        for spec in specs.outputs
    }
    picture, drawn, deviations = _picture(bundle.manifest, part, entry, session, outputs, golden)
    measured = replace(entry, error=errors, picture=picture)
    # Of a denoiser the finished picture decides: an error of one call says little about it.
    deciding = {"picture": picture} if picture else errors
    if entry.precision == "fp32":
        deciding = {**errors, **deciding}
    for name, error in deciding.items():
        found = problem_of(entry.precision, error)
        problem = problem or (found and f"{name}: {found}")
    return Check(part=part, entry=measured, problem=problem, deviations=deviations, drawn=drawn)


def golden_inputs(manifest: Manifest, part: str, golden: Golden) -> dict[str, np.ndarray]:
    """Collect the golden inputs of a part; the noise of steps is drawn again, being large."""
    feeds = {
        spec.name: golden[f"{part}/in/{spec.name}"]
        for spec in manifest.parts[part].inputs
        if spec.name != "step_noise"
    }
    if len(feeds) < len(manifest.parts[part].inputs):
        feeds["step_noise"] = step_noise(manifest, len(feeds["noise"]))
    return feeds


def step_noise(manifest: Manifest, count: int) -> np.ndarray:
    """Draw the noise of all steps of the golden pictures, float32 (count, S, H * W * C)."""
    from kgen import noise as host_noise

    table, image = manifest.sampler, manifest.image
    if table is None:
        raise KgenError(f"A {manifest.kind} has no sampler.")
    shape = (count, image["height"] * image["width"] * image["channels"])
    steps = [
        host_noise.normal(manifest.golden["seed"], shape, stream=i + 1)
        for i in range(table.num_steps)
    ]
    return np.stack(steps, axis=1)


def _run(
    session: Session, open_anew: Callable[[], Session], feeds: dict[str, np.ndarray],
    entry: FileEntry, part: str,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Run all golden inputs: at one picture and at several, or in fresh interpreters for a loop."""
    count = len(next(iter(feeds.values())))
    if part == "sampler" and entry.format == "tflite":
        return _worst_of_fresh(open_anew, feeds, entry, count)
    if entry.batch is not None:
        return session.run_all(feeds, entry.batch)
    first = session.run({name: a[:1] for name, a in feeds.items()})
    rest = session.run({name: a[1:] for name, a in feeds.items()})
    return {name: np.concatenate([first[name], rest[name]]) for name in first}


def _worst_of_fresh(
    open_anew: Callable[[], Session], feeds: dict[str, np.ndarray], entry: FileEntry, count: int
) -> dict[str, np.ndarray]:
    """Run every picture first in an interpreter of its own, at least `FRESH_LOOPS` in all.

    Where two interpreters disagree on a picture the result is made NaN, which no gate passes.
    """
    size = entry.batch or 1
    made: dict[int, np.ndarray] = {}
    for turn in range(max(FRESH_LOOPS, -(-count // size))):
        start = turn * size % count
        rows = np.minimum(np.arange(start, start + size), count - 1)
        image = open_anew().run({n: np.ascontiguousarray(a[rows]) for n, a in feeds.items()})
        for row, picture in zip(rows, image["image"], strict=True):
            if row in made and not np.allclose(made[row], picture, rtol=0, atol=1e-6):
                picture = np.full_like(picture, np.nan)
            made[int(row)] = picture
    return {"image": np.stack([made[row] for row in range(count)])}


def _wrong_names(
    session: Session, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> str | None:
    """Compare names and order of inputs and outputs."""
    for what, found, specs in (
        ("inputs", tuple(session.inputs), inputs),
        ("outputs", session.outputs, outputs),
    ):
        expected = tuple(spec.name for spec in specs)
        if tuple(found) != expected:
            return f"{what} are {', '.join(expected)}, in this order. Received: {', '.join(found)}"
    return None


def _wrong_values(name: str, output: np.ndarray, expected: np.ndarray) -> str | None:
    """Compare shape and type, and look for what is not finite."""
    if output.shape != expected.shape or output.dtype != np.float32:
        return f"{name} is float32 {expected.shape}. Received: {output.dtype} {output.shape}"
    if not np.isfinite(output).all():
        return f"{name} has values that are not finite, or differ between fresh interpreters"
    return None


def _picture(
    manifest: Manifest, part: str, entry: FileEntry, session: Session,
    outputs: dict[str, np.ndarray], golden: Golden,
) -> tuple[Error | None, np.ndarray | None, np.ndarray]:  # fmt: skip
    """Measure the finished picture; return it too, and the differences of what decides."""
    low, high = manifest.image["range"]
    names = [spec.name for spec in manifest.parts[part].outputs]
    if part == "denoiser" and manifest.sampler is not None:
        reference = golden["sampler/out/image"]
        noise = step_noise(manifest, len(reference)) if manifest.sampler.stochastic else None

        def z(i: int) -> np.ndarray:
            if noise is None:
                raise KgenError("A sampler without noise asked for some.")
            return noise[:, i].reshape(reference.shape)

        drawn = walk(
            lambda xt, t: session.run_all({"xt": xt, "t": t}, entry.batch)[names[0]],
            golden["sampler/in/noise"], manifest.sampler, z,
        )  # fmt: skip
    elif "image" in names:
        reference, drawn = golden[f"{part}/out/image"], outputs["image"]
    else:
        reference = golden[f"{part}/out/{names[0]}"]
        return None, None, outputs[names[0]] - reference
    return compare(drawn, reference, float(high - low)), drawn, drawn - reference
