"""diffusers' side: its DDIM pipeline, as its documentation calls it, with a network of our size."""

# The library is not among what kgen is developed with.
# pyright: reportMissingImports=false

from contextlib import nullcontext

import numpy as np
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

from benchmarks.sampling import SIZE, STEPS, Drawing, Task
from benchmarks.sampling.flops import operations

GROUPS = 8
"""Of the group norms, as in kgen's; the library's own 32 do not divide so few channels."""


def pipeline(task: Task) -> Drawing:
    """Open the pipeline; its weights are as the library draws them."""
    device = torch.device("cuda" if task.device == "gpu" else "cpu")
    network = unet(task.widths).to(device).eval()
    draws = DDIMPipeline(unet=network, scheduler=DDIMScheduler())
    draws.set_progress_bar_config(disable=True)
    # As in Keras's mixed policy: weights, norms and the loop in float32, products in 16 bits.
    half = task.precision == "bfloat16"

    def draw() -> np.ndarray:
        with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
            images = draws(
                batch_size=task.pictures, num_inference_steps=STEPS, eta=0.0, output_type="np"
            ).images
        return np.rint(255 * images).astype(np.uint8)

    noise = torch.zeros(1, 1, SIZE, SIZE, device=device)
    return Drawing(
        draw=draw,
        parameters=sum(p.numel() for p in network.parameters()),
        flops=operations(lambda: network(noise, 0)),
    )


def unet(widths: tuple[int, ...]) -> UNet2DModel:
    """Build the U-Net: one block a level, attention where the picture is smallest."""
    plain = len(widths) - 1
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=widths,
        norm_num_groups=GROUPS,
        down_block_types=(*["DownBlock2D"] * plain, "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", *["UpBlock2D"] * plain),
    )
