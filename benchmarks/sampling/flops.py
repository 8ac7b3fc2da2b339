"""How much a network computes, by PyTorch's own counter."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(call: Callable[[], Any]) -> int:
    """Count the floating-point operations of products and convolutions that a call makes.

    A product and a sum are two. It sees only what PyTorch computes, and not the first call, which
    may be recorded.
    """
    call()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
