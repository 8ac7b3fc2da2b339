"""Drawings of numbers: training curves, latent spaces, strips of pictures with labels.

Figures are built from matplotlib's objects, never through pyplot: nothing here opens a window or
keeps a figure alive.
"""

from kgen.plots.curve import curves
from kgen.plots.latent import LatentSpace, latent_spaces
from kgen.plots.strip import picture_strip, show_picture
from kgen.plots.style import save_figure, style, styled

__all__ = [
    "LatentSpace",
    "curves",
    "latent_spaces",
    "picture_strip",
    "save_figure",
    "show_picture",
    "style",
    "styled",
]
