"""What the references in PyTorch share: threads, seeds, batches of pictures."""

import os
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.contestants import Task, pictures


def begin(task: Task) -> None:
    """Set the number of threads and the seed of this process."""
    os.environ["OMP_NUM_THREADS"] = str(task.threads)
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)


def batches(size: int) -> Iterator[torch.Tensor]:
    """Return shuffled batches, uint8 (size, 1, 28, 28), epoch after epoch, without end.

    The pictures lie in memory as bytes, from here on: a data loader would only cost a reference
    time.
    """
    images = torch.from_numpy(pictures("train").transpose(0, 3, 1, 2).copy())
    return _shuffled(images, size)


def _shuffled(images: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    while True:
        order = torch.randperm(len(images))
        for start in range(0, len(order) - size + 1, size):
            yield images[order[start : start + size]]


def count(network: torch.nn.Module) -> int:
    """Return the number of trainable numbers."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def channels_last(images: torch.Tensor) -> np.ndarray:
    """Turn (n, 1, 28, 28) into (n, 28, 28, 1), on the host."""
    return images.detach().numpy().transpose(0, 2, 3, 1)
