"""Compare kgen's Inception features with torch-fidelity's own numbers.

``python scripts/check_inception.py [WEIGHTS] [-n 64]`` needs ``pip install kgen[fidelity]``. The
Fréchet distance and the Inception Score of two sets of pictures are computed by kgen and by
torch-fidelity, and must agree to 1e-3: torch-fidelity takes means in float32. Without WEIGHTS,
random ones are made, which check everything but that the weights are the literature's.
"""

# torch-fidelity is not among what kgen is developed with.
# pyright: reportMissingImports=false

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kgen import backend

TOLERANCE = 1e-3
FEWEST = 20


def main() -> None:
    """Compare, print, and end with status 1 if they disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path, nargs="?", help="default: random ones")
    parser.add_argument("-n", type=int, default=64, help=f"pictures in each set, from {FEWEST} on")
    options = parser.parse_args()
    backend.select("torch", device="cpu")
    from kgen import data

    images = data.load("embedded").images
    first, second = (images.gather(np.arange(start, start + options.n)) for start in (0, options.n))
    second = 255 - second
    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights or random_weights(Path(folder) / "random.pth")
        ours, theirs = by_kgen(weights, first, second), by_fidelity(weights, first, second)
    worst = 0.0
    for name, value in ours.items():
        off = abs(value / theirs[name] - 1)
        worst = max(worst, off)
        print(f"{name:<28} kgen {value:.8g}  torch-fidelity {theirs[name]:.8g}  off by {off:.1e}")
    if not worst < TOLERANCE:
        sys.exit(f"They disagree by {worst:.1e}.")


def random_weights(path: Path) -> Path:
    """Write weights of the right shapes that keep the scale of what passes through them."""
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as library

    class Empty(library.FeatureExtractorInceptionV3):
        """The network before any weights are read."""

        def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
            """Keep what there is."""

    torch.save({}, path)
    state = Empty("random", ["2048"], feature_extractor_weights_path=str(path)).state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        if tensor.ndim > 1:
            scale = (2 / tensor[0].numel()) ** 0.5
            state[name] = scale * torch.randn(tensor.shape, generator=generator)
    torch.save(state, path)
    return path


def by_kgen(weights: Path, first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Compute both numbers by kgen."""
    from kgen.evaluation.extraction.inception import inception
    from kgen.evaluation.metrics.distribution import measure

    look = inception(first.shape[1:], weights)
    names = ("frechet_distance", "classifier_score")
    found = measure(look([second], len(second)), look([first], len(first)), metrics=names)
    return {name: found.values[name].value for name in names}


def by_fidelity(weights: Path, first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Compute both numbers by torch-fidelity."""
    import torch
    from torch_fidelity import calculate_metrics

    class Pictures(torch.utils.data.Dataset):
        """Pictures by number, as torch-fidelity wants them."""

        def __init__(self, images: np.ndarray):
            colours = np.repeat(images, 3 // images.shape[-1], axis=-1)
            self.planes = torch.from_numpy(colours.transpose(0, 3, 1, 2).copy())

        def __len__(self) -> int:
            """Return the number of pictures."""
            return len(self.planes)

        def __getitem__(self, index: int) -> Any:
            """Return one, uint8 (3, height, width)."""
            return self.planes[index]

    found = calculate_metrics(
        input1=Pictures(first), input2=Pictures(second), fid=True, isc=True, isc_splits=1,
        cuda=False, cache=False, verbose=False, batch_size=32,
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    return {
        "frechet_distance": found["frechet_inception_distance"],
        "classifier_score": found["inception_score_mean"],
    }


if __name__ == "__main__":
    main()
