"""The Inception network of the FID proper, where it can be had: through torch-fidelity.

The FID of the literature is the Fréchet distance on the 2,048 features of one network's last
pooling: Inception v3 as it was released on 2015-12-05. torch-fidelity has it in PyTorch, to 1e-6 of
the original in TensorFlow, with the original's odd resizing; its weights (95 MB) are a download of
their own. PyTorch is what that library is written in: the backend of Keras does not matter here.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kgen.errors import KgenError
from kgen.evaluation.extraction.extractor import Extractor, Progress
from kgen.evaluation.extraction.features import Features

NAME = "inception-2015-12-05"
WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
"""The file's name, which ends in the first digits of its SHA-256."""
SOURCE = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
VARIABLE = "KGEN_INCEPTION_WEIGHTS"
"""Environment variable with the path of the file."""
LAYERS = ("2048", "logits_unbiased")
"""What torch-fidelity takes for the FID and for the Inception Score."""
CHUNK = 32
"""Pictures that are looked at at a time: at 299 pixels they need 3 MB each in the first layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inception(Extractor):
    """The network as an extractor: the same attributes and call, and no Keras inside.

    Attributes:
        name: ``inception-2015-12-05``; with other weights, another name.
        model: from uint8 tensors (n, 3, height, width) to features and logits.
        has_classes: False: the logits are of ImageNet's classes and not of the data's. The
            classifier score on them is the Inception Score.
        is_slow: True: a picture takes a tenth of a second of one core.
    """

    model: Any
    has_classes: bool = False
    is_slow: bool = True

    def __call__(
        self, chunks: Iterable[np.ndarray], total: int, progress: Progress | None = None
    ) -> Features:
        """Look at pictures as they come; only a chunk of them is in memory.

        Args:
            chunks: uint8 (any number, height, width, 1 or 3) each; grey is shown to all three
                channels. The network enlarges to 299 pixels by itself.
            total: pictures in all, for `progress`.
            progress: called with (pictures done, total).

        Returns:
            Features float32 (n, 2048) and logits float32 (n, 1008) without their bias.

        Raises:
            KgenError: pictures of another shape, not uint8, or none.
        """
        import torch

        features, logits, done = [], [], 0
        for chunk in chunks:
            planes = _planes(self._checked(chunk))
            for start in range(0, len(planes), CHUNK):
                piece = torch.from_numpy(planes[start : start + CHUNK])
                with torch.no_grad():
                    seen = self.model(piece)
                for kept, layer in zip((features, logits), seen, strict=True):
                    kept.append(layer.cpu().numpy())
                done += len(piece)
                if progress:
                    progress(done, total)
        if not features:
            raise KgenError("There is no picture to look at.")
        return Features(features=np.concatenate(features), logits=np.concatenate(logits))


def _planes(images: np.ndarray) -> np.ndarray:
    """Turn uint8 (n, h, w, 1 or 3) into uint8 (n, 3, h, w)."""
    colours = np.broadcast_to(images, (*images.shape[:3], 3))
    return np.ascontiguousarray(colours.transpose(0, 3, 1, 2))


def inception(image_shape: tuple[int, int, int], weights: Path | None = None) -> Inception:
    """Open the Inception network.

    Args:
        image_shape: (height, width, 1 or 3) of the pictures that it is for.
        weights: the file of weights; None takes what ``KGEN_INCEPTION_WEIGHTS`` names, else where
            PyTorch keeps downloads, else downloads it there.

    Raises:
        KgenError: torch-fidelity is not installed, or the weights cannot be had or are damaged.
    """
    try:
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import (  # type: ignore[import-not-found]
            FeatureExtractorInceptionV3,
        )
    except ImportError as error:
        raise KgenError(
            f"The extractor inception needs the package torch-fidelity ({error}). Install it: "
            "pip install kgen[fidelity]"
        ) from error
    path = weights or _named() or _downloaded()
    sha256 = _checked(path)
    network = FeatureExtractorInceptionV3(
        NAME, list(LAYERS), feature_extractor_weights_path=str(path)
    ).to(memory_format=torch.channels_last)  # on a CPU 1.5 times as fast
    pinned = sha256.startswith(Path(WEIGHTS).stem.rpartition("-")[2])
    return Inception(
        name=NAME if pinned else f"inception-{sha256[:8]}",
        sha256=sha256,
        model=network,
        image_shape=image_shape,
    )


def _named() -> Path | None:
    """Return the file that the environment names."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


def _downloaded() -> Path:
    """Return the file where PyTorch keeps downloads, after downloading it if it is not there.

    Raises:
        KgenError: it cannot be downloaded.
    """
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                f"{SOURCE}/{WEIGHTS}", str(path), Path(WEIGHTS).stem.rpartition("-")[2], False
            )
        # A network raises URLError or timeouts, which are OSErrors; a wrong hash RuntimeError.
        except (OSError, RuntimeError) as error:
            raise KgenError(
                f"Cannot download the weights of the extractor inception: {error}. Without a "
                f"network, fetch {SOURCE}/{WEIGHTS} elsewhere and put it to {path}, or let "
                f"{VARIABLE} name the file."
            ) from error
    return path


def _checked(path: Path) -> str:
    """Return the SHA-256 of a file of weights, after checking that it is one and no program.

    Raises:
        KgenError: it is not there, or something else.
    """
    import torch

    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        # torch-fidelity unpickles what it is given; only tensors may be in there.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise KgenError(
            f"Cannot read the weights {path}: {error.strerror}. {VARIABLE} takes the path of "
            f"{WEIGHTS}, from {SOURCE}."
        ) from error
    # PyTorch raises several kinds of errors on what it cannot unpack.
    except Exception as error:
        raise KgenError(
            f"{path} is not a file of weights in PyTorch's format. Received: "
            f"{type(error).__name__}. Fetch {SOURCE}/{WEIGHTS} again."
        ) from error
    shape = getattr(found.get("fc.weight") if isinstance(found, dict) else None, "shape", None)
    if shape is None or tuple(shape) != (1008, 2048):
        raise KgenError(
            f"{path} holds other weights than Inception's: expected fc.weight of 1008 x 2048. "
            f"Received: {None if shape is None else tuple(shape)}. Fetch {SOURCE}/{WEIGHTS} again."
        )
    return sha256
