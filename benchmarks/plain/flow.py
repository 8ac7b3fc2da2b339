"""The default VAE's prior, a row of affine couplings, in plain PyTorch."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.plain.copying import fill, weights


class Coupling(nn.Module):
    """Some numbers of a vector say how the others are shifted and scaled; here its inverse.

    Masks, as RealNVP's authors have them: the first layer reads zeros where a number moves.
    """

    kept: torch.Tensor
    moved: torch.Tensor

    def __init__(self, kept: list[bool], width: int):
        super().__init__()
        self.register_buffer("kept", torch.tensor(kept).float(), persistent=False)
        self.register_buffer("moved", 1.0 - self.kept, persistent=False)
        self.hidden0 = nn.Linear(len(kept), width)
        self.hidden1 = nn.Linear(width, width)
        self.amounts = nn.Linear(width, 2 * len(kept))

    def forward(self, y: Any) -> tuple[Any, Any]:
        """Return x and log|det dx/dy| for y (batch, length)."""
        h = F.relu(self.hidden1(F.relu(self.hidden0(y * self.kept))))
        raw, shift = self.amounts(h).chunk(2, 1)
        log_scale = torch.tanh(raw) * self.moved
        return (y - shift * self.moved) * torch.exp(-log_scale), -log_scale.sum(1)

    @classmethod
    def of(cls, flow: Any, name: str) -> "Coupling":
        """Copy a coupling of kgen's."""
        layer = flow.get_layer(name)
        made = cls(layer.kept, layer.width)
        kernel0, bias0, kernel1, bias1, *heads = weights(flow, name)
        fill(made.hidden0, kernel0.T, [bias0])
        fill(made.hidden1, kernel1.T, [bias1])
        log_scale, log_scale_bias, shift, shift_bias = heads
        both = torch.cat([log_scale.T, shift.T])
        fill(made.amounts, both, [torch.cat([log_scale_bias, shift_bias])])
        return made


class Flow(nn.Module):
    """Latents back to the noise that they are made of."""

    def __init__(self, couplings: list[Coupling]):
        super().__init__()
        self.couplings = nn.ModuleList(couplings)

    def forward(self, z: Any) -> tuple[Any, Any]:
        """Return u and log|det du/dz| for z (batch, length)."""
        log_det = 0.0
        for coupling in self.couplings:
            z, more = coupling(z)
            log_det = log_det + more
        return z, log_det

    @classmethod
    def of(cls, flow: Any) -> "Flow":
        """Copy a flow of kgen's, its last coupling first."""
        names = [layer.name for layer in flow.layers if layer.name.startswith("coupling")]
        return cls([Coupling.of(flow, name) for name in reversed(names)])
