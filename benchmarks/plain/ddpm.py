"""The default DDPM in plain PyTorch: velocities, timesteps on a grid."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.handwritten import Recipe
from benchmarks.plain.loop import Loop, Setting
from benchmarks.plain.unet import UNet


class DDPM(Loop):
    """The squared error of v."""

    def __init__(self, model: Any, recipe: Recipe, setting: Setting):
        c = model.settings
        if c.prediction != "v":
            raise ValueError(f"Expected the prediction of v. Received: {c}.")
        self.network: Any = setting.place(UNet.of(model.denoiser, model))
        super().__init__(recipe, setting, self.network)
        bars = model.schedule.tables.alpha_bars
        self.signal = torch.tensor(np.sqrt(bars), dtype=torch.float32, device=setting.device)
        self.noise = torch.tensor(np.sqrt(1 - bars), dtype=torch.float32, device=setting.device)
        self.optimizer = self.adam(self.network)

    def update(self, images: Any, noise: dict[str, np.ndarray]) -> Any:
        """Descend once."""
        x0 = images.float() / 127.5 - 1.0
        t = self.timesteps(len(x0), noise.get("t"))
        eps = self.setting.pictures(noise["eps"]) if "eps" in noise else torch.randn_like(x0)
        a, s = (table[t][:, None, None, None] for table in (self.signal, self.noise))
        with self.setting.autocast():
            v_hat = self.network(a * x0 + s * eps, t)
        loss = F.mse_loss(v_hat, a * eps - s * x0)
        self.descend(loss, self.optimizer)
        return {"loss": loss.detach()}

    def timesteps(self, count: int, given: np.ndarray | None) -> Any:
        """Draw one grid over all timesteps, moved at random, unless they are given."""
        device, length = self.setting.device, len(self.signal)
        if given is not None:
            return torch.from_numpy(given).to(device)
        grid = torch.arange(count, device=device) / count
        u = (grid + torch.rand((), device=device)) % 1.0
        # Rounding may take the product up to the length.
        return (u * length).int().clamp(max=length - 1)


def loop(model: Any, recipe: Recipe, setting: Setting) -> Loop:
    """Make the loop on a copy of a model's weights."""
    return DDPM(model, recipe, setting)
