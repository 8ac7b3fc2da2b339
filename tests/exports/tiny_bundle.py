"""A small valid bundle, made in a blink and without Keras: one product of matrices per part.

The golden cases are NumPy's, in float64, by the formulas of the networks and the sampler: the files
are ONNX graphs that were built from the same weights by hand.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from kgen.files import replacing
from kgen.noise import normal
from kgen_exports.export import with_files
from kgen_exports.manifest import GOLDEN_NAME, FileEntry, Manifest, PartEntry, TensorSpec
from kgen_exports.proof import prove
from kgen_exports.runtime import Bundle, load
from kgen_exports.runtime.bundle import digest
from kgen_exports.sampler import SamplerTable
from kgen_exports.to_onnx import BATCH, finish, loop, precision
from kgen_exports.worker import file_name

SHAPE = (16, 16, 1)
"""Pictures of 256 pixels: as many weights as it takes for a smaller precision to be one."""
PIXELS = 256
LATENT = 16
SEED, COUNT = 7, 8
NUM_TIMESTEPS = 10
TIMESTEPS = (9, 6, 3, 0)
OPSET = 17
IR_VERSION = 8
TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}

Cases = dict[str, np.ndarray]


def make(folder: Path, kind: str = "gan", *, sampler: str = "dpmpp", eta: float = 0.0) -> Bundle:
    """Write a bundle and open it.

    Args:
        folder: made if it is not there.
        kind: ``gan`` (a generator), ``vae`` (decoder, encoder) or ``ddpm`` (denoiser, sampler).
        sampler: of a ddpm, ``dpmpp`` or ``ddim``.
        eta: of the sampler of a ddpm; above 0 it takes the noise of its steps as an input.

    Returns:
        The bundle, its errors measured by the proof; every file and hash is as an export's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        "out": normal(0, (LATENT, PIXELS)) * 0.3,
        "mean": normal(1, (PIXELS, LATENT)) * 0.1,
        "logvar": normal(2, (PIXELS, LATENT)) * 0.1,
        "a": normal(3, SHAPE) * 0.5,
    }
    table = _table(sampler, eta) if kind == "ddpm" else None
    specs = _specs(kind, table)
    cases = _cases(kind, weights, table)
    with replacing(folder / GOLDEN_NAME) as path, path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **cases)
    manifest = _manifest(kind, table, specs, folder)
    files = {name: _write(name, weights, manifest, folder) for name in specs}
    parts = {name: PartEntry(**specs[name], files=files[name]) for name in specs}
    _manifest(kind, table, specs, folder, parts).write(folder)
    bundle = load(folder)
    checks, _ = prove(bundle)
    wrong = [f"{c.entry.path}: {c.problem}" for c in checks if c.problem]
    if wrong:
        raise ValueError(f"The tiny bundle does not pass: {wrong}")
    with_files(bundle.manifest, tuple(checks)).write(folder)
    return load(folder)


def _specs(kind: str, table: SamplerTable | None) -> dict[str, dict[str, tuple[TensorSpec, ...]]]:
    """Describe the inputs and outputs of every part, as the exporter does."""
    z = TensorSpec(name="z", shape=(None, LATENT), distribution="standard_normal")
    low = 0.0 if kind == "vae" else -1.0
    image = TensorSpec(name="image", shape=(None, *SHAPE), range=(low, 1.0))
    codes = tuple(TensorSpec(name=n, shape=(None, LATENT)) for n in ("mean", "logvar"))
    if kind == "gan":
        return {"generator": {"inputs": (z,), "outputs": (image,)}}
    if kind == "vae":
        return {
            "decoder": {"inputs": (z,), "outputs": (image,)},
            "encoder": {"inputs": (image,), "outputs": codes},
        }
    picture = (None, *SHAPE)
    t = TensorSpec(name="t", shape=(None,), dtype="int32", range=(0, NUM_TIMESTEPS - 1))
    noise = [TensorSpec(name="noise", shape=picture, distribution="standard_normal")]
    if table is not None and table.stochastic:
        shape = (None, table.num_steps, PIXELS)
        noise.append(TensorSpec(name="step_noise", shape=shape, distribution="standard_normal"))
    return {
        "denoiser": {
            "inputs": (TensorSpec(name="xt", shape=picture), t),
            "outputs": (TensorSpec(name="v", shape=picture),),
        },
        "sampler": {"inputs": tuple(noise), "outputs": (image,)},
    }


# What Keras would have drawn.


def _cases(kind: str, weights: Cases, table: SamplerTable | None) -> Cases:
    """Compute the golden cases."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    z = normal(SEED, (COUNT, LATENT))
    flat = z.astype(np.float64) @ w["out"]
    if table is not None:
        cases = _diffusion(w["a"], table)
    elif kind == "gan":
        cases = {"generator/in/z": z, "generator/out/image": np.tanh(flat)}
    else:
        image = 1 / (1 + np.exp(-flat))
        pixels = image.astype(np.float32).astype(np.float64)
        cases = {
            "decoder/in/z": z, "decoder/out/image": image, "encoder/in/image": image,
            "encoder/out/mean": pixels @ w["mean"], "encoder/out/logvar": pixels @ w["logvar"],
        }  # fmt: skip
    pictures = {
        name: array.reshape(-1, *SHAPE) if name.endswith("/image") else array
        for name, array in cases.items()
    }
    return {n: a if a.dtype == np.int32 else a.astype(np.float32) for n, a in pictures.items()}


def _predict(a: np.ndarray, xt: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Compute v = tanh(xt * a + t * 0.05)."""
    return np.tanh(xt * a + t.reshape(-1, 1, 1, 1) * 0.05)


def _diffusion(a: np.ndarray, table: SamplerTable) -> Cases:
    """Sample in float64, by DDIM, in which DPM-Solver++ puts its D for x0.

    Source: Song et al. (2021), eq. 12 and 16; Lu et al. (2022, DPM-Solver++), Algorithm 2;
    Salimans & Ho (2022), section 4, for x0 from v.
    """
    eta, shape = table.eta, (COUNT, *SHAPE)
    noise = normal(SEED, shape)
    xt = noise.astype(np.float64)
    last = np.zeros(shape)
    for i, (signal, signal_next) in enumerate(_signals()):
        v = _predict(a, xt, np.full(COUNT, TIMESTEPS[i]))
        seen = np.clip(np.sqrt(signal) * xt - np.sqrt(1 - signal) * v, -1, 1)
        x0 = seen + _ahead(table.name)[i] * (seen - last)
        last = seen
        eps = (xt - np.sqrt(signal) * x0) / np.sqrt(1 - signal)
        sigma = _sigma(signal, signal_next, eta)
        xt = np.sqrt(signal_next) * x0 + np.sqrt(1 - signal_next - sigma**2) * eps
        if sigma > 0:
            xt = xt + sigma * normal(SEED, shape, stream=i + 1)
    t = np.array([9, 9, 6, 6, 3, 3, 0, 0], np.int32)
    return {
        "sampler/in/noise": noise, "sampler/out/image": xt,
        "denoiser/in/xt": noise, "denoiser/in/t": t,
        "denoiser/out/v": _predict(a, noise.astype(np.float64), t),
    }  # fmt: skip


def _signals() -> list[tuple[float, float]]:
    """Return alpha_bar of each step and of the one after it, which is 1 at the end."""
    alpha_bars = [_alpha_bar(t) for t in TIMESTEPS]
    return list(zip(alpha_bars, [*alpha_bars[1:], 1.0], strict=True))


def _alpha_bar(t: int) -> float:
    return float(np.cos((t + 0.5) / NUM_TIMESTEPS * np.pi / 2) ** 2)


def _sigma(signal: float, signal_next: float, eta: float) -> float:
    return eta * np.sqrt((1 - signal_next) / (1 - signal) * (1 - signal / signal_next))


def _ahead(sampler: str) -> list[float]:
    """Return how much of x0's last change each step adds to x0: 1 / (2 r), where it can."""
    # log(alpha / sigma), which is half the logarithm of the signal-to-noise ratio.
    lambdas = [np.log(np.sqrt(signal) / np.sqrt(1 - signal)) for signal, _ in _signals()]
    lengths = [after - before for before, after in pairwise(lambdas)]
    inner = [h / (2 * h_last) for h_last, h in pairwise(lengths)]
    return [0.0, *inner, 0.0] if sampler == "dpmpp" else [0.0] * len(TIMESTEPS)


def _table(sampler: str, eta: float) -> SamplerTable:
    """Write the steps as the exporter does."""
    rows = []
    for (signal, signal_next), ahead in zip(_signals(), _ahead(sampler), strict=True):
        sigma = _sigma(signal, signal_next, eta)
        coef_xt = np.sqrt(1 - signal_next - sigma**2) / np.sqrt(1 - signal)
        coef_x0 = np.sqrt(signal_next) - np.sqrt(signal) * coef_xt
        x0, last = (1 + ahead) * coef_x0, 0.0 - ahead * coef_x0
        rows.append((np.sqrt(signal), -np.sqrt(1 - signal), x0, coef_xt, last, sigma))
    from_xt, from_prediction, coef_x0, coef_xt, coef_last, sigma = (
        tuple(float(np.float32(value)) for value in column) for column in zip(*rows, strict=True)
    )
    return SamplerTable(
        name=sampler, eta=eta, variance=None, prediction="v", num_timesteps=NUM_TIMESTEPS,
        timesteps=TIMESTEPS, x0_from_xt=from_xt, x0_from_prediction=from_prediction,
        coef_x0=coef_x0, coef_xt=coef_xt, coef_last=coef_last, sigma=sigma,
        alpha_bars=tuple(_alpha_bar(t) for t in range(NUM_TIMESTEPS)),
    )  # fmt: skip


# The files.


def _write(
    name: str, weights: Cases, manifest: Manifest, folder: Path
) -> tuple[FileEntry, ...]:  # fmt: skip
    """Write a part in every precision, for any batch and for one picture."""
    entries = []
    drawn = "denoiser" if name == "sampler" else name
    smaller = {"fp16": precision.fp16, "int8": precision.int8}
    if drawn == "denoiser":  # has no product of matrices to store in int8
        del smaller["int8"]
    for batch in (None, 1):
        network = _network(drawn, weights, manifest, batch or BATCH)
        for kind, model in {"fp32": network, **{k: f(network) for k, f in smaller.items()}}.items():
            inputs = manifest.parts[name].inputs
            if name == "sampler" and manifest.sampler is not None:
                model = loop.sampler(model, inputs, manifest.sampler, batch or BATCH)
            path = folder / file_name(name, kind, "onnx", batch)
            finish.write(model, path, name=name, metadata=manifest.embedded(), licence="none")
            entries.append(
                FileEntry(
                    path=path.name, format="onnx", precision=kind, batch=batch, opset=OPSET,
                    bytes=path.stat().st_size, sha256=digest(path),
                )
            )  # fmt: skip
    return tuple(entries)


def _network(name: str, weights: Cases, manifest: Manifest, batch: int | str) -> ModelProto:
    """Build the graph of a network."""
    picture = ("picture", np.array([-1, *SHAPE], np.int64))
    graphs = {
        "generator": ([("MatMul", "z out", "flat"), ("Tanh", "flat", "drawn"),
                       ("Reshape", "drawn picture", "image")], ["out"], [picture]),
        "decoder": ([("MatMul", "z out", "flat"), ("Sigmoid", "flat", "drawn"),
                     ("Reshape", "drawn picture", "image")], ["out"], [picture]),
        "encoder": ([("Reshape", "image row", "flat"), ("MatMul", "flat w_mean", "mean"),
                     ("MatMul", "flat w_logvar", "logvar")], ["mean", "logvar"],
                    [("row", np.array([-1, PIXELS], np.int64))]),
        "denoiser": ([("Cast", "t", "t_float"), ("Reshape", "t_float column", "t_column"),
                      ("Mul", "t_column b", "t_b"), ("Mul", "xt a", "xt_a"),
                      ("Add", "xt_a t_b", "sum"), ("Tanh", "sum", "v")], ["a"],
                     [("column", np.array([-1, 1, 1, 1], np.int64)),
                      ("b", np.array(0.05, np.float32))]),
    }  # fmt: skip
    nodes, used, constants = graphs[name]
    part = manifest.parts[name]
    stored = [(f"w_{n}" if n in ("mean", "logvar") else n, weights[n]) for n in used]
    attributes = {"Cast": {"to": TensorProto.FLOAT}}
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs.split(), [out], name=out, **attributes.get(op, {}))
            for op, inputs, out in nodes
        ],
        name,
        _declared(part.inputs, batch),
        _declared(part.outputs, batch),
        [numpy_helper.from_array(array, n) for n, array in [*stored, *constants]],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def _declared(specs: tuple[TensorSpec, ...], batch: int | str) -> list[ValueInfoProto]:
    return [
        helper.make_tensor_value_info(spec.name, TYPES[spec.dtype], [batch, *spec.shape[1:]])
        for spec in specs
    ]


def _manifest(
    kind: str, table: SamplerTable | None, specs: dict[str, dict[str, tuple[TensorSpec, ...]]],
    folder: Path, parts: dict[str, PartEntry] | None = None,
) -> Manifest:  # fmt: skip
    """Describe the bundle."""
    golden = folder / GOLDEN_NAME
    return Manifest(
        kind=kind,
        image={
            "height": SHAPE[0], "width": SHAPE[1], "channels": SHAPE[2], "layout": "NHWC",
            "colour": "grey", "range": (0.0 if kind == "vae" else -1.0, 1.0),
            "to_uint8": "clip(round((x - low) * 255 / (high - low)), 0, 255)",
        },
        latent_dim=None if kind == "ddpm" else LATENT,
        labels=None,
        sampler=table,
        parts=parts or {name: PartEntry(**spec) for name, spec in specs.items()},
        golden={
            "file": GOLDEN_NAME, "seed": SEED, "count": COUNT,
            "bytes": golden.stat().st_size, "sha256": digest(golden),
        },
        training={
            "run": f"{kind}-tiny", "backend": "tensorflow", "preset": "quick",
            "precision": "float32", "step": 10, "seconds": 1.5, "parameters": {"network": 4096},
            "metrics": {"loss": 0.5}, "ema_decay": 0.0, "versions": {}, "train_images": 48,
        },
        data={"name": "tiny", "licence": "CC0", "note": "Made for tests."},
        created="2026-11-24T00:00:00+00:00",
        kgen="0.0",
    )  # fmt: skip
