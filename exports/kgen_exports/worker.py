"""The process that converts: rebuilds a run's model on TensorFlow and writes its files.

``python -m kgen_exports.worker FOLDER`` reads a job from standard input and fills the folder. It
says what it is doing on standard output, one line for each step. A process of its own, because
the backend of a process is fixed, conversion leaks memory, and a converter may crash.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kgen import __version__, backend
from kgen.errors import KgenError
from kgen.files import replacing
from kgen.run import Run
from kgen_exports.divergence import ACTIVATIONS_NAME, NETWORK_OF
from kgen_exports.job import DEFAULT_STEPS, Job
from kgen_exports.manifest import GOLDEN_NAME, TO_UINT8, FileEntry, Manifest, PartEntry
from kgen_exports.runtime.bundle import digest
from kgen_exports.runtimes import oldest

CALIBRATION_SEED = 11
CALIBRATION_COUNT = 128
"""Pictures whose ranges int8-static learns: other noise than the golden cases'."""

Say = Callable[[str], None]


def main() -> None:
    """Read the job, convert, and end with status 2 on an error that the user can mend."""
    folder = Path(sys.argv[1])
    try:
        export(Job.from_json(sys.stdin.read()), folder, _say)
    except KgenError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _say(line: str) -> None:
    """Tell the process that started this one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def export(job: Job, folder: Path, say: Say) -> None:
    """Write all files of a job, golden cases, and a manifest without measured errors.

    Args:
        job: what to export.
        folder: an empty one.
        say: told each step.
    """
    backend.select("tensorflow", device="cpu")
    from kgen import device

    device.setup(device="cpu", precision="float32")
    Exporter(job, folder, say).write()


class Exporter:
    """One job at work.

    Args:
        job: what to export.
        folder: where.
        say: told each step.
    """

    def __init__(self, job: Job, folder: Path, say: Say):
        from kgen_exports.golden import golden
        from kgen_exports.parts import parts_of, sampler_part, sampler_table

        self.job, self.folder, self.say = job, folder, say
        say("loading the model")
        self.run = Run.open(job.run)
        self.model = float32_model(self.run)
        parts = parts_of(self.model)
        self.table = None
        options: dict[str, Any] = {}
        if job.family == "ddpm":
            length = self.model.settings.num_timesteps
            if job.sampler.get("sampler") == "ddpm":
                # It is for the whole chain: with few steps its noise stays in the picture.
                options = {"num_steps": length, **job.sampler}
            else:
                # Without noise of its own, a sampler's file takes one input.
                options = {"num_steps": min(DEFAULT_STEPS, length), "eta": 0.0, **job.sampler}
            self.table = sampler_table(self.model, **options)  # type: ignore[arg-type]
            parts["sampler"] = sampler_part(self.model, self.table)  # type: ignore[arg-type]
        say("drawing the golden cases")
        # What draws is needed by the others' cases, whether or not it is shipped.
        self.golden = golden(self.model, parts, self.table, **options)
        self.all_parts = parts
        self.parts = {name: parts[name] for name in job.parts}
        self.peaks, self.activations = self._watch_layers()
        self.files: dict[str, list[FileEntry]] = {name: [] for name in self.parts}
        self.manifest = self._manifest()

    def write(self) -> None:
        """Write everything."""
        with replacing(self.folder / GOLDEN_NAME) as path, path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self._shipped_cases())
        # Not part of the bundle: whoever started this process takes it away.
        with (self.folder / ACTIVATIONS_NAME).open("wb") as file:
            np.savez(file, allow_pickle=False, **self.activations)
        if "onnx" in self.job.formats:
            self._write_onnx()
        if "tflite" in self.job.formats:
            self._write_tflite()
        golden_file = self.folder / GOLDEN_NAME
        golden = {
            **self.manifest.golden,
            "sha256": digest(golden_file),
            "bytes": golden_file.stat().st_size,
        }
        # All else is as it was embedded in the files.
        parts = {
            name: replace(part, files=tuple(self.files[name]))
            for name, part in self.manifest.parts.items()
        }
        manifest = replace(self.manifest, parts=parts, golden=golden)
        Manifest.from_mapping(manifest.to_mapping()).write(self.folder)

    def _watch_layers(self) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
        """Note every layer's peak on the golden inputs, and all that it makes of the first."""
        from kgen_exports import layers

        peaks, activations = {}, {}
        for name in {NETWORK_OF.get(name, name): None for name in self.parts}:
            part = self.all_parts[name]
            model = part.model()
            inputs = {spec.name: self.golden[f"{name}/in/{spec.name}"] for spec in part.inputs}
            peaks[name] = layers.peaks(model, inputs)
            first = layers.activations(model, {key: a[:1] for key, a in inputs.items()})
            activations |= {f"{name}/{layer}": output for layer, output in first.items()}
        return peaks, activations

    def _shipped_cases(self) -> dict[str, np.ndarray]:
        """Keep the cases of the parts that are shipped, and the picture of every sampler."""
        keep = {*self.parts, *(["sampler"] if self.table else [])}
        return {key: a for key, a in self.golden.items() if key.partition("/")[0] in keep}

    # ONNX.

    def _write_onnx(self) -> None:
        from kgen_exports.to_onnx import BATCH, convert, loop, pin

        networks = {n: p for n, p in self.parts.items() if n != "sampler"}
        if "sampler" in self.parts:
            networks["denoiser"] = self.all_parts["denoiser"]
        for name, part in networks.items():
            self.say(f"converting {name} to ONNX")
            any_batch = convert.convert(part, self.folder / ".model.onnx", self.job.opset)
            (self.folder / ".model.onnx").unlink()
            fixed = pin.pinned(any_batch, part.inputs, part.outputs, self.job.batch, self.folder)
            for model, batch in ((any_batch, None), (fixed, self.job.batch)):
                for precision, smaller in self._onnx_precisions(name, model, batch):
                    if name in self.parts:
                        self._add_onnx(name, smaller, precision, batch)
                    if name == "denoiser" and "sampler" in self.parts:
                        sampler = self.parts["sampler"]
                        whole = loop.sampler(
                            smaller, sampler.inputs, self.table, batch or BATCH  # type: ignore[arg-type]
                        )  # fmt: skip
                        self._add_onnx("sampler", whole, precision, batch)

    def _onnx_precisions(
        self, name: str, model: Any, batch: int | None
    ) -> Iterator[tuple[str, Any]]:
        """Yield (precision, model) for every precision that can be had of a float32 model."""
        from kgen_exports.to_onnx import precision

        for wanted in self.job.precisions:
            if wanted == "fp32":
                yield wanted, model
            elif wanted == "int8-static":
                if batch is not None:
                    feeds = self.calibration(name)
                    yield wanted, precision.int8_static(model, feeds, self.folder)
            else:
                yield wanted, {"fp16": precision.fp16, "int8": precision.int8}[wanted](model)

    def _add_onnx(self, name: str, model: Any, precision: str, batch: int | None) -> None:
        from kgen_exports.to_onnx import finish

        path = self.folder / file_name(name, precision, "onnx", batch)
        finish.write(
            model, path, name=name, metadata=self.manifest.embedded(), licence=self._licence()
        )
        self._note(name, path, "onnx", precision, batch, self.job.opset)

    # TFLite.

    def _write_tflite(self) -> None:
        import shutil

        from kgen_exports.to_tflite import convert, finish

        batch = self.job.batch
        for name, part in self.parts.items():
            self.say(f"converting {name} to TFLite")
            saved = convert.save(part.model(), part.inputs, batch, self.folder / ".saved")
            feeds = functools.partial(self.calibration, name)
            for precision, content in convert.convert_all(saved, self.job.precisions, feeds):
                path = self.folder / file_name(name, precision, "tflite", batch)
                finish.write(
                    content,
                    path,
                    name=name,
                    inputs=[spec.name for spec in part.inputs],
                    outputs=[spec.name for spec in part.outputs],
                    metadata=self.manifest.embedded(),
                )
                self._note(name, path, "tflite", precision, batch, None)
            shutil.rmtree(saved)

    # Both.

    def calibration(self, name: str) -> Iterator[dict[str, np.ndarray]]:
        """Yield example inputs of a part: noise, or pictures that the model draws from it."""
        from keras import ops

        from kgen import noise as host_noise

        drawing = next(p for p in self.all_parts.values() if p.outputs[0].name == "image")
        dim = drawing.inputs[0].shape[1]
        z = host_noise.normal(CALIBRATION_SEED, (CALIBRATION_COUNT, dim or 0))
        inputs = {"z": z}
        if name != drawing.name:
            drawn = drawing.model()(ops.convert_to_tensor(z), training=False)["image"]
            inputs = {"image": ops.convert_to_numpy(drawn)}
        ((key, array),) = inputs.items()
        for start in range(0, CALIBRATION_COUNT - self.job.batch + 1, self.job.batch):
            yield {key: array[start : start + self.job.batch]}

    def _note(
        self, name: str, path: Path, form: str, precision: str, batch: int | None, opset: int | None
    ) -> None:
        """Remember a written file."""
        self.files[name].append(
            FileEntry(
                path=path.name, format=form, precision=precision, batch=batch, opset=opset,
                bytes=path.stat().st_size, sha256=digest(path),
            )
        )  # fmt: skip

    def _licence(self) -> str:
        return str(self.run.summary().get("licence") or "unknown")

    def _manifest(self) -> Manifest:
        """Describe the bundle, before there are files."""
        from kgen_exports.parts import image_range

        height, width, channels = self.model.image_shape
        summary = self.run.summary()
        told = ("backend", "preset", "precision", "step", "seconds", "parameters", "metrics",
                "ema_decay", "versions", "train_images")  # fmt: skip
        return Manifest(
            kind=self.job.family,
            image={
                "height": height, "width": width, "channels": channels, "layout": "NHWC",
                "colour": "grey" if channels == 1 else "rgb", "range": image_range(self.model),
                "to_uint8": TO_UINT8,
            },
            latent_dim=getattr(self.model.settings, "latent_dim", None),
            labels=None,
            sampler=self.table,
            parts={
                name: PartEntry(
                    inputs=part.inputs,
                    outputs=part.outputs,
                    peaks=self.peaks[NETWORK_OF.get(name, name)],
                )
                for name, part in self.parts.items()
            },
            golden={
                "file": GOLDEN_NAME, "seed": golden_seed(), "count": golden_count(),
                "bytes": None, "sha256": None,
            },
            training={"run": self.run.path.name, **{k: summary.get(k) for k in told}},
            data={
                "name": summary.get("data"), "licence": self._licence(),
                "note": "Pictures drawn by the model may resemble those that it was trained on; "
                "their licence may apply.",
            },
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            kgen=__version__,
            min_runtime=oldest(self.job.formats),
        )  # fmt: skip


def golden_seed() -> int:
    """Return the seed of the golden cases."""
    from kgen_exports.golden import SEED

    return SEED


def golden_count() -> int:
    """Return the number of pictures in the golden cases."""
    from kgen_exports.golden import COUNT

    return COUNT


def float32_model(run: Run) -> Any:
    """Load a run's model with all of its layers in float32, whatever precision it was trained in.

    Raises:
        KgenError: the run is not finished, or its model is damaged.
    """
    from kgen import models

    loaded = models.load(run)
    model = type(loaded).from_config(loaded.get_config())
    for target, source in zip(model.variables, loaded.variables, strict=True):
        target.assign(source)
    return model


def file_name(part: str, precision: str, form: str, batch: int | None) -> str:
    """Name a file: ``part[.precision][.bN].format``.

    TFLite files always have a fixed batch, so only one other than 1 is in their names.
    """
    words = [part]
    if precision != "fp32":
        words.append(precision)
    if batch is not None and (form == "onnx" or batch != 1):
        words.append(f"b{batch}")
    return ".".join([*words, form])


if __name__ == "__main__":
    main()
