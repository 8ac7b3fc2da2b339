"""Where a file stops computing what Keras computes: the first layer whose output differs."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kgen_exports.inside import Feeds, Tensors, tensors
from kgen_exports.manifest import FileEntry
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.session import RUNTIMES

ACTIVATIONS_NAME = ".activations.npz"
"""Where the converter leaves what Keras's layers put out, for as long as an export lasts."""
NETWORK_OF = {"sampler": "denoiser"}
"""The part whose layers a part has, where that is another: a sampler's first step is a golden case
of the denoiser."""

Activations = Mapping[str, np.ndarray]
Errors = dict[str, float]

FLOOR = {"fp32": 1e-5, "fp16": 2e-3, "int8": 5e-2, "int8-static": 1e-1}
"""Errors of a layer that the precision explains: at least 1.5 times the largest in any layer of
good files, which are 1.1e-6, 1.2e-3, 0.02 and 0.04 (the quick presets' models, trained, and the
tests'; the time embedding of TFLite in fp16 is left out, which is 5 % off at t = 999)."""
GROWTH = 8.0
"""How many times the largest error before it a layer's may be without being that layer's own: a
norm takes a mean away and so makes relative errors larger, in good files 4 times at most."""
REWRITTEN, NUMBER = re.compile(r"__\d+(:0)?$"), re.compile(r"_\d+$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """A layer that computes something else.

    Attributes:
        layer: its name in Keras.
        error: RMS of the difference by the RMS of what Keras's layer puts out.
        before: the largest such error of the layers that run before it.
    """

    layer: str
    error: float
    before: float

    def __str__(self) -> str:
        """Say it as the end of a sentence."""
        return (
            f"the first layer that differs is {self.layer} (error {self.error:.2g}, "
            f"before it {self.before:.2g})"
        )


def first(
    path: Path, runtime: str, feeds: Feeds, activations: Activations, precision: str = "fp32"
) -> Divergence | None:
    """Find the first layer that a file computes wrongly.

    Args:
        path: a file that kgen wrote.
        runtime: ``onnxruntime`` or ``litert``.
        feeds: inputs of one picture, by name.
        activations: what Keras's layers make of them, in the order in which they run, from
            :func:`kgen_exports.layers.activations`.
        precision: of the file: how large errors it explains.

    Returns:
        The layer; None if no layer stands out.
    """
    return first_of(layer_errors(tensors(path, runtime, feeds), activations), precision)


def explain(bundle: Bundle, part: str, entry: FileEntry) -> str:
    """Say where a file that is not good enough goes wrong, as the end of a sentence.

    Args:
        bundle: being exported: its folder still has the activations.
        part: whose file it is.
        entry: the file.
    """
    kept = _activations(bundle.path / ACTIVATIONS_NAME, NETWORK_OF.get(part, part))
    if not kept:
        return "what its layers should put out was not kept"
    golden = bundle.golden()
    feeds = {
        spec.name: golden[f"{part}/in/{spec.name}"][:1]
        for spec in bundle.manifest.parts[part].inputs
        if f"{part}/in/{spec.name}" in golden
    }
    runtime = next(name for name, form in RUNTIMES.items() if form == entry.format)
    try:
        errors = layer_errors(tensors(bundle.path / entry.path, runtime, feeds), kept)
    # Runtimes raise classes of their own, and why the file was refused is the greater news.
    except Exception as error:
        return f"its layers could not be looked at ({type(error).__name__})"
    if not errors:
        return "none of its tensors is named after a layer"
    found = first_of(errors, entry.precision)
    if found is None:
        layer = max(errors, key=errors.__getitem__)
        return f"no single layer differs (largest error {errors[layer]:.2g}, of {layer})"
    return str(found)


def _activations(path: Path, network: str) -> Activations:
    """Read what the layers of a network put out; of a very large one that is not written."""
    if not path.is_file():
        return {}
    prefix = f"{network}/"
    with np.load(path, allow_pickle=False) as arrays:
        return {n.removeprefix(prefix): arrays[n] for n in arrays.files if n.startswith(prefix)}


def first_of(errors: Errors, precision: str) -> Divergence | None:
    """Find the first layer whose error neither the precision nor the layers before it explain."""
    before = 0.0
    for layer, error in errors.items():
        # Not `error > limit`, which NaN is not.
        if not error <= max(FLOOR[precision], GROWTH * before):
            return Divergence(layer=layer, error=error, before=before)
        before = max(before, error)
    return None


def layer_errors(found: Tensors, activations: Activations) -> Errors:
    """Compare a file's tensors with the layers that they are outputs of.

    Returns:
        By layer, in the order of `activations`, the error as in :class:`Divergence`. Layers that
        a converter fused away are not in it.
    """
    place = {layer: i for i, layer in enumerate(activations)}
    output: dict[str, np.ndarray] = {}
    for name, value in found:
        for owner in _owners(name, place):
            if any(True for _ in _orders(value, activations[owner])):
                output[owner] = value
    return {
        layer: _error(output[layer], reference)
        for layer, reference in activations.items()
        if layer in output
    }


def _owners(name: str, place: Mapping[str, int]) -> list[str]:
    """Return the layer whose output a tensor may be, by its name.

    A converter names a tensor after the layers that it comes from, as a path, or as several with
    semicolons where it has fused them: then it is the last one's output, and the others' nobody's.
    The output of a layer is the last tensor with its name in it that has its shape.

    Args:
        name: of the tensor.
        place: of every layer in the order in which they run.
    """
    # A number behind two underscores is tf2onnx's: it moved a transpose to behind later layers.
    if REWRITTEN.search(name):
        return []
    # The outputs of a part are layers of their own, and maybe the network's last layer, too.
    if f"{name}_output" in place:
        return [layer for layer in (name, f"{name}_output") if layer in place]
    words = [word for path in name.split(";") for word in path.split("/")]
    # Keras puts numbers behind names of layers that it calls again.
    known = {layer for word in words for layer in (word, NUMBER.sub("", word)) if layer in place}
    return [max(known, key=place.__getitem__)] if known else []


def _orders(value: np.ndarray, reference: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a tensor in all orders of axes that give it the reference's shape.

    Axes of length 1 do not count. The reference is of one picture, which the file may have got
    several times.
    """
    batch, rest = divmod(value.size, max(reference.size, 1))
    if rest or not batch:
        return
    shape = tuple(n for n in (batch, *reference.shape[1:]) if n != 1)
    squeezed = value.squeeze()
    if sorted(squeezed.shape) != sorted(shape):
        return
    for axes in itertools.permutations(range(squeezed.ndim)):
        turned = squeezed.transpose(axes)
        if turned.shape == shape:
            yield turned


def _error(value: np.ndarray, reference: np.ndarray) -> float:
    """Return the RMS of the difference by the reference's, in the order of axes where it is least.

    Relative, for layers differ in scale; of all of a picture's numbers, so that one that is near
    zero does not count for more than it weighs in what the next layer makes of it.
    """
    batch = value.size // reference.size
    expected = np.repeat(reference, batch, axis=0).squeeze().astype(np.float64)
    scale = max(math.sqrt(float(np.mean(expected**2))), 1e-6)
    errors = [
        math.sqrt(float(np.mean((turned - expected) ** 2))) / scale
        for turned in _orders(value, reference)
    ]
    return min(errors, key=lambda error: math.inf if math.isnan(error) else error)
