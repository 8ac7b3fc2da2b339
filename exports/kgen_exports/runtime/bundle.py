"""A bundle opened: pictures from exported files, without Keras."""

import hashlib
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kgen import noise as host_noise
from kgen.errors import KgenError
from kgen.pictures import to_uint8
from kgen_exports.manifest import GOLDEN_NAME, FileEntry, Manifest
from kgen_exports.runtime.session import RUNTIMES, Session, installed, open_session
from kgen_exports.sampler import SamplerTable, walk

if TYPE_CHECKING:
    from kgen_exports.proof import Check

Progress = Callable[[int, int], None]
Feed = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

DRAWING_PART = {"gan": "generator", "ae": "decoder", "vae": "decoder", "ddpm": "denoiser"}
"""The part that draws pictures from noise, by the kind of model."""
CHUNK = 64
"""Pictures in a call of a file that takes any number."""
MAX_GOLDEN_BYTES = 2**30
"""Largest array of golden.npz that is read."""


class Bundle:
    """The files of one exported model.

    Args:
        path: the folder.
        manifest: its kgen.json.
    """

    def __init__(self, path: Path, manifest: Manifest):
        self.path = path
        self.manifest = manifest
        # One session for each file: opening one costs more than running it.
        self._open = cache(self._open_checked)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Class names by number, where the model takes a class."""
        return self.manifest.labels

    def entry(self, part: str, precision: str = "fp32", runtime: str | None = None) -> FileEntry:
        """Find the file of a part for a runtime; of several the one that takes any batch.

        Args:
            part: a key of the manifest's parts.
            precision: ``fp32``, ``fp16``, ``int8`` or ``int8-static``.
            runtime: ``onnxruntime`` or ``litert``; None takes what is installed, in this order.

        Raises:
            KgenError: there is no such file.
        """
        if part not in self.manifest.parts:
            known = ", ".join(self.manifest.parts)
            raise KgenError(f"{self.path} has the parts {known}. Received: part={part!r}.")
        entries = self.manifest.parts[part]
        for name in [runtime] if runtime else installed():
            if name not in RUNTIMES:
                raise KgenError(
                    f"runtime takes one of {', '.join(RUNTIMES)}. Received: runtime={name!r}."
                )
            found = entries.of(RUNTIMES[name], precision)
            if found:
                return found[0]
        there = sorted({f"{f.format} {f.precision}" for f in entries.files})
        raise KgenError(
            f"{self.path} holds of its {part}: {', '.join(there) or 'no files'}. "
            f"Received: precision={precision!r}, "
            f"runtime={runtime or ' or '.join(installed()) or 'none installed'!r}."
        )

    def session(self, entry: FileEntry, device: str = "cpu", threads: int | None = None) -> Session:
        """Open a file, after checking that it is the one that the manifest describes.

        Raises:
            KgenError: the file is missing or changed, or cannot be opened.
        """
        return self._open(entry.path, device, threads)

    def _open_checked(self, name: str, device: str, threads: int | None) -> Session:
        (entry,) = [f for _, f in self.manifest.files() if f.path == name]
        return self.fresh_session(entry, device, threads)

    def fresh_session(
        self, entry: FileEntry, device: str = "cpu", threads: int | None = None
    ) -> Session:
        """Open a file as :meth:`session` does, in a new session each time."""
        check_file(self.path / entry.path, entry.bytes, entry.sha256)
        runtime = next(key for key, value in RUNTIMES.items() if value == entry.format)
        return open_session(self.path / entry.path, runtime=runtime, device=device, threads=threads)

    # Pictures.

    def generate(
        self, n: int = 1, *, seed: int = 0, precision: str = "fp32", runtime: str | None = None,
        device: str = "cpu", num_steps: int | None = None, eta: float | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Draw `n` pictures; the same seed draws the same ones as the model in Keras.

        Args:
            n: number of pictures.
            seed: of the noise (docs/noise.md).
            precision: of the file used.
            runtime: ``onnxruntime`` or ``litert``; None takes what is installed.
            device: ``cpu`` or ``gpu``.
            num_steps: of a ddpm, in place of the table's; fewer are faster and coarser.
            eta: of a ddpm, in place of the table's. With either, a table of the ddpm sampler is
                one of ddim.
            progress: called with (steps done, steps in all).

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            KgenError: no such file, a changed file, no such device, or steps of a model that
                takes none.
        """
        table = self.sampler(num_steps, eta)
        entry = self.entry(DRAWING_PART[self.manifest.kind], precision, runtime)
        session = self.session(entry, device)
        size = entry.batch or CHUNK
        pieces = []
        for start in range(0, n, size):
            count = min(size, n - start)
            done = (lambda i, start=start: progress(start + i, n)) if progress else None
            feed = partial(session.run_all, batch=entry.batch)
            pieces.append(self._draw(feed, table, seed, start, count, done))
        return self.pictures(np.concatenate(pieces))

    def sampler(
        self, num_steps: int | None = None, eta: float | None = None
    ) -> SamplerTable | None:
        """Return the bundle's sampler, or it with other steps; None where the model takes none.

        Args:
            num_steps: None keeps the table's.
            eta: None keeps the table's, which of ddpm is 1.

        Raises:
            KgenError: out of range, or the model has no sampler.
        """
        table = self.manifest.sampler
        if num_steps is None and eta is None:
            return table
        if table is None:
            raise KgenError(
                f"num_steps and eta belong to a ddpm. Received: num_steps={num_steps}, eta={eta} "
                f"for a {self.manifest.kind}."
            )
        return table.respaced(
            table.num_steps if num_steps is None else num_steps, table.eta if eta is None else eta
        )

    def _draw(
        self, feed: Feed, table: SamplerTable | None, seed: int, start: int, count: int,
        done: Callable[[int], None] | None,
    ) -> np.ndarray:  # fmt: skip
        """Draw pictures `start` to `start + count` of a seed, as floats."""
        if table is None:
            shape = (self.manifest.latent_dim or 0,)
            z = host_noise.normal(seed, (count, *shape), start=start * shape[0])
            image = feed({"z": z})["image"]
            if done:
                done(count)
            return image
        shape = self.image_shape
        size = int(np.prod(shape))
        (output,) = (spec.name for spec in self.manifest.parts["denoiser"].outputs)

        def draw(stream: int) -> np.ndarray:
            return host_noise.normal(seed, (count, *shape), stream=stream, start=start * size)

        def on_step(i: int, _xt: np.ndarray) -> None:
            if done:
                done(count * (i + 1) // table.num_steps)

        return walk(
            lambda xt, t: feed({"xt": xt, "t": t})[output],
            draw(0),
            table,
            lambda i: draw(i + 1),
            on_step,
        )

    def decode(
        self, z: np.ndarray, *, precision: str = "fp32", runtime: str | None = None
    ) -> np.ndarray:
        """Turn latents float32 (n, latent_dim) into pictures uint8 (n, height, width, channels).

        Raises:
            KgenError: the model has no latents.
        """
        if self.manifest.latent_dim is None:
            raise KgenError(f"A {self.manifest.kind} has no latents to decode.")
        entry = self.entry(DRAWING_PART[self.manifest.kind], precision, runtime)
        feeds = {"z": np.asarray(z, np.float32)}
        return self.pictures(self.session(entry).run_all(feeds, entry.batch)["image"])

    def encode(
        self, images: np.ndarray, *, precision: str = "fp32", runtime: str | None = None
    ) -> dict[str, np.ndarray]:
        """Encode pictures uint8 (n, height, width, channels) to ``mean`` (and ``logvar``).

        Raises:
            KgenError: the bundle has no encoder.
        """
        entry = self.entry("encoder", precision, runtime)
        low, high = self.manifest.image["range"]
        scaled = low + images.astype(np.float32) / 255 * (high - low)
        return self.session(entry).run_all({"image": scaled}, entry.batch)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a picture."""
        image = self.manifest.image
        return image["height"], image["width"], image["channels"]

    def pictures(self, image: np.ndarray) -> np.ndarray:
        """Map a file's float pictures to uint8."""
        return to_uint8(image, *self.manifest.image["range"])

    # Proof.

    def golden(self) -> dict[str, np.ndarray]:
        """Read the golden cases: inputs and what Keras made of them, as ``part/in|out/name``.

        Raises:
            KgenError: the file is missing, changed, or not plain arrays.
        """
        path = self.path / GOLDEN_NAME
        check_file(path, self.manifest.golden["bytes"], self.manifest.golden["sha256"])
        try:
            with zipfile.ZipFile(path) as file:
                if sum(info.file_size for info in file.infolist()) > MAX_GOLDEN_BYTES:
                    raise KgenError(f"{path} unpacks to more than {MAX_GOLDEN_BYTES} bytes.")
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise KgenError(f"{path} is not a file of plain arrays: {error}.") from error

    def self_test(self) -> "list[Check]":
        """Run every file that can run here on the golden cases, and compare with Keras.

        Returns:
            A check for each file; ``problem`` is None where it passes.

        Raises:
            KgenError: a file is missing or changed, or no runtime is installed.
        """
        from kgen_exports.proof import prove

        return prove(self)[0]


def check_file(path: Path, size: int, sha256: str) -> None:
    """Check that a file of a bundle is the one that was exported.

    Raises:
        KgenError: it is missing or changed.
    """
    if not path.is_file():
        raise KgenError(f"{path} is missing from its bundle. Copy the whole folder again.")
    if path.stat().st_size != size or digest(path) != sha256:
        raise KgenError(
            f"{path} is not the file that was exported: its SHA-256 is not the manifest's. "
            "Copy the whole folder again, or export again."
        )


def digest(path: Path) -> str:
    """Return a file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
