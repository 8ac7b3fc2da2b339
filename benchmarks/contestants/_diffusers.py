"""diffusers' recipe for unconditional training, its numbers but for those that 28 pixels change.

Of `examples/unconditional_image_generation/train_unconditional.py`: UNet2DModel predicting noise,
the linear schedule of 1,000 steps, AdamW (0.95, 0.999) with weight decay 1e-6, a cosine rate with
a warm-up, gradients clipped to 1, weight averages that grow with power 3/4. The script's network
is for 64 pixels and more, and its rate for days on a GPU; see `Choice`.
"""

# The library is not among what kgen is developed with.
# pyright: reportMissingImports=false

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch.nn import functional as F

from benchmarks.contestants import Outcome, Task
from benchmarks.contestants._torch import batches, begin, channels_last, count
from benchmarks.contestants.budget import Speed, Stopwatch, trial_seconds
from kgen.pictures import to_uint8

DRAWN_AT_ONCE = 100
GROUPS = 16
"""Of the group norms, since the narrowest level has so many channels; the library's are 32."""
FEWEST_STEPS = 4
"""Of a trial: the first ones cost more than the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a user has to choose.

    Attributes:
        widths: channels at each resolution, 28, 14 and 7; the script has six, from 128 to 512.
        layers: residual blocks at each; the script has 2.
        batch_size: the script's default is 16.
        learning_rate: at its peak; the script's default is 1e-4.
        warmup: steps until then; the script's default is 500.
    """

    widths: tuple[int, ...]
    layers: int = 1
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 100


def compete(task: Task, widths: tuple[int, ...]) -> Outcome:
    """Measure a step's cost, train as many as the budget pays for, and draw with DDIM."""
    begin(task)
    choice = Choice(widths=widths)
    model, scheduler = network(choice), DDPMScheduler(num_train_timesteps=1000)
    feed = batches(choice.batch_size)
    trial = list(train(copy.deepcopy(model), scheduler, feed, choice, trial_seconds(task.seconds)))
    steps = Speed.of(trial).affordable(task.seconds)
    ema = EMAModel(model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    marks = list(train(model, scheduler, feed, choice, task.seconds, steps, ema))
    ema.copy_to(model.parameters())
    clock = Stopwatch()
    images = draw(model, scheduler, task)
    return Outcome(
        images=to_uint8(channels_last(images), -1.0, 1.0),
        steps=marks[-1][0],
        batch_size=choice.batch_size,
        cpu_seconds=marks[-1][1],
        sampling_seconds=clock.spent,
        parameters={"unet": count(model)},
    )


def network(choice: Choice) -> Any:
    """Build the U-Net: attention at the lowest resolution, as many levels as 28 = 4 x 7 allows."""
    plain = len(choice.widths) - 1
    return UNet2DModel(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        layers_per_block=choice.layers,
        block_out_channels=choice.widths,
        norm_num_groups=GROUPS,
        down_block_types=(*["DownBlock2D"] * plain, "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", *["UpBlock2D"] * plain),
    )


def train(
    model: Any, scheduler: Any, feed: Iterator[torch.Tensor], choice: Choice, seconds: float,
    steps: int = 10**6, ema: Any = None,
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """Train for a number of steps, or until the seconds are spent; yield (step, seconds spent)."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=choice.learning_rate, betas=(0.95, 0.999), weight_decay=1e-6
    )
    rate = get_scheduler(
        "cosine", optimizer, num_warmup_steps=choice.warmup, num_training_steps=steps
    )
    model.train()
    clock = Stopwatch()
    for step in range(1, steps + 1):
        x0 = next(feed).float() / 127.5 - 1.0
        eps = torch.randn_like(x0)
        t = torch.randint(0, scheduler.config.num_train_timesteps, (len(x0),))
        eps_hat = model(scheduler.add_noise(x0, eps, t), t).sample
        F.mse_loss(eps_hat, eps).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        optimizer.zero_grad()
        if ema is not None:
            ema.step(model.parameters())
        spent = clock.spent
        yield step, spent
        if spent >= seconds and step >= FEWEST_STEPS:
            return


def draw(model: Any, scheduler: Any, task: Task) -> torch.Tensor:
    """Draw pictures (n, 1, 28, 28) in [-1, 1]; the script's own 1,000 steps would take hours."""
    ddim = DDIMScheduler.from_config(scheduler.config)
    ddim.set_timesteps(task.sampling_steps)
    model.eval()
    drawn = []
    with torch.no_grad():
        for start in range(0, task.n, DRAWN_AT_ONCE):
            x = torch.randn(min(DRAWN_AT_ONCE, task.n - start), 1, 28, 28)
            for t in ddim.timesteps:
                x = ddim.step(model(x, t).sample, t, x).prev_sample
            drawn.append(x)
    return torch.cat(drawn)
