"""The DCGAN of PyTorch's tutorial, for pictures of 28 pixels.

The tutorial's loop and numbers: z of 100, 64 channels at the finest level, batches of 128, Adam at
2e-4 with beta_1 0.5, weights drawn with a deviation of 0.02, binary cross-entropy. Its networks
are for 64 pixels and have five levels; here are four, 4 - 7 - 14 - 28, with the tutorial's widths.

Source: pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html; Radford et al. (2016).
"""

import torch
from torch import nn

from benchmarks.contestants import Outcome, Task
from benchmarks.contestants._torch import batches, begin, channels_last, count
from benchmarks.contestants.budget import Stopwatch
from kgen.pictures import to_uint8

LATENT, WIDTH = 100, 64
BATCH_SIZE, LEARNING_RATE, BETA_1 = 128, 2e-4, 0.5
DRAWN_AT_ONCE = 128


def compete(task: Task) -> Outcome:
    """Train until the budget is spent, and draw."""
    begin(task)
    g, d = generator(), discriminator()
    for network in (g, d):
        network.apply(initialise)
    loss = nn.BCEWithLogitsLoss()
    betas = (BETA_1, 0.999)
    d_adam = torch.optim.Adam(d.parameters(), lr=LEARNING_RATE, betas=betas)
    g_adam = torch.optim.Adam(g.parameters(), lr=LEARNING_RATE, betas=betas)
    ones, zeros = torch.ones(BATCH_SIZE), torch.zeros(BATCH_SIZE)
    feed, steps, clock = batches(BATCH_SIZE), 0, Stopwatch()
    while clock.spent < task.seconds:
        real = next(feed).float() / 127.5 - 1.0
        fake = g(torch.randn(BATCH_SIZE, LATENT, 1, 1))
        d.zero_grad()
        loss(d(real).flatten(), ones).backward()
        loss(d(fake.detach()).flatten(), zeros).backward()
        d_adam.step()
        g.zero_grad()
        loss(d(fake).flatten(), ones).backward()
        g_adam.step()
        steps += 1
    spent, clock = clock.spent, Stopwatch()
    drawn = []
    # In training mode, as the tutorial draws: each batch is normalised by its own statistics.
    with torch.no_grad():
        for start in range(0, task.n, DRAWN_AT_ONCE):
            z = torch.randn(DRAWN_AT_ONCE, LATENT, 1, 1)
            drawn.append(g(z)[: task.n - start])
    return Outcome(
        images=to_uint8(channels_last(torch.cat(drawn)), -1.0, 1.0),
        steps=steps,
        batch_size=BATCH_SIZE,
        cpu_seconds=spent,
        sampling_seconds=clock.spent,
        parameters={"generator": count(g), "discriminator": count(d)},
    )


def generator() -> nn.Module:
    """Build it: from z (n, 100, 1, 1) to pictures (n, 1, 28, 28) in [-1, 1]."""
    w = WIDTH
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 4 * w, 4, 1, 0, bias=False),
        nn.BatchNorm2d(4 * w),
        nn.ReLU(True),
        nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.ReLU(True),
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w),
        nn.ReLU(True),
        nn.ConvTranspose2d(w, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator() -> nn.Module:
    """Build it: from pictures (n, 1, 28, 28) in [-1, 1] to logits (n, 1, 1, 1)."""
    w = WIDTH
    return nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=False),
        nn.BatchNorm2d(4 * w),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(4 * w, 1, 4, 1, 0, bias=False),
    )


def initialise(layer: nn.Module) -> None:
    """Draw a layer's weights as the tutorial does."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
