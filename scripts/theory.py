"""Figures for the theory pages that need no trained run, only kgen's own mathematics."""

import math

import numpy as np
import one_dimensional_game as game
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kgen import data, pictures, plots
from kgen.plots.style import BLUE, GREEN, GREY, VERMILION, WIDTH
from kgen.schedule import SCHEDULES, ScheduleTables, betas

MOMENTS = (0, 100, 800, game.TOTAL_STEPS)


@plots.styled
def gan_game() -> Figure:
    """The one-dimensional game (Goodfellow et al. 2014, figure 1), trained here and now."""
    moments, values = game.play(MOMENTS)
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    grid = figure.add_gridspec(3, len(moments), height_ratios=[5, 2, 2.6])
    for column, moment in enumerate(moments):
        top = figure.add_subplot(grid[0, column])
        _densities(top, moment)
        arrows = figure.add_subplot(grid[1, column], sharex=top)
        arrows.plot([moment.z, moment.x], [0, 1], color=GREY, linewidth=0.7)
        arrows.set(ylim=(0, 1), yticks=[0, 1], yticklabels=["z", "x"], xlabel="z, and x = G(z)")
        arrows.grid(False)
        if column:
            top.tick_params(labelleft=False)
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    value = figure.add_subplot(grid[2, :])
    value.plot(game.STEPS * (np.arange(len(values)) + 1), values, color=BLUE)
    value.axhline(-math.log(4), color=GREY, linestyle=":", linewidth=1)
    value.annotate("-log 4, the value where p = q", (1, -math.log(4)), xytext=(0, -4), ha="right",
                   xycoords=value.get_yaxis_transform(), textcoords="offset points", va="top",
                   color=GREY)  # fmt: skip
    value.set(xlim=(0, MOMENTS[-1]), ylim=(-1.6, None))
    value.set(xlabel="steps of the generator", ylabel="nats")
    value.set_title("Value of the game, E log D(x) + E log(1 - D(G(z)))")
    return figure


def _densities(axes: Axes, moment: game.Moment) -> None:
    """Draw both densities and what the discriminator makes of them."""
    data_density = game.data_density(game.LINE)
    axes.fill_between(game.LINE, moment.generated, color=GREEN, alpha=0.2, linewidth=0)
    axes.plot(game.LINE, data_density, ":", color="black", label="data p")
    axes.plot(game.LINE, moment.generated, color=GREEN, label="generated q")
    axes.plot(game.LINE, moment.d, color=BLUE, label="D(x)")
    somewhere = data_density + moment.generated > 1e-3  # D* means nothing where no number falls
    d_star = np.where(somewhere, moment.d_star, np.nan)
    axes.plot(game.LINE, d_star, "--", color=VERMILION, label="optimal D*(x) = p / (p + q)")
    axes.set(xlim=(-3.2, 3.2), ylim=(0, 1.05))
    axes.set_title("before training" if moment.step == 0 else f"step {moment.step}")


@plots.styled
def schedules(num_timesteps: int = 1000) -> Figure:
    """What is left of a picture, and how much noise a step adds and takes, by schedule."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for kind, colour in zip(sorted(SCHEDULES, reverse=True), (VERMILION, BLUE), strict=True):
        tables = ScheduleTables.from_betas(betas(kind, num_timesteps))
        t = np.arange(num_timesteps)
        left.plot(t, tables.alpha_bars, color=colour, label=kind)
        middle.plot(t, tables.snr, color=colour)
        right.plot(t, tables.betas, color=colour, linewidth=0.9, linestyle="--")
        # beta_tilde is 0 at t = 0, which a logarithmic axis has no place for.
        right.plot(t[1:], tables.posterior_variance[1:], color=colour)
    right.plot([], [], color=GREY, label="beta_tilde")
    right.plot([], [], color=GREY, linestyle="--", linewidth=0.9, label="beta")
    left.set_title("alpha_bar: what is left of x0")
    middle.set_title("Signal to noise")
    middle.axhline(1, color=GREY, linestyle=":", linewidth=1)
    right.set_title("Variance of a step")
    for axes in (middle, right):
        axes.set_yscale("log")
    right.set_xscale("log")
    for axes in (left, middle, right):
        axes.set_xlabel("t")
    left.legend()
    right.legend(loc="lower right")
    return figure


VARIANCES = np.geomspace(3e-3, 30, 400)
SHOWN_VARIANCES = (20.0, 10.0, 5.0, 2.0, 1.0, 0.3)
SHOWN_PICTURES = (1, 0)
LATENTS = 16


@plots.styled
def decoder_variance() -> Figure:
    """What the fixed variance c of a Gaussian decoder decides, for the best linear VAE.

    With a linear encoder and decoder all is known in closed form (Lucas et al. 2019; Tipping &
    Bishop 1999): latent j, of variance lambda_j in the data, is used if lambda_j > c, costs
    log(lambda_j / c) / 2 nats, and is shrunk by 1 - c / lambda_j on the way through.
    """
    images = data.load("embedded").images
    x = images.gather(np.arange(len(images))).reshape(len(images), -1) / 255.0
    mean = x.mean(axis=0)
    eigenvalues, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0.0), vectors[:, ::-1]
    learned = eigenvalues[LATENTS:].mean()
    figure = Figure(figsize=(WIDTH, 5.3), layout="constrained")
    halves = figure.add_gridspec(2, 1, height_ratios=[2.7, 2.1])
    above, below = (figure.add_subfigure(half) for half in (halves[0], halves[1]))
    bounds = np.array([linear_vae(eigenvalues, c, LATENTS) for c in VARIANCES])
    named = zip(above.subplots(1, 3), bounds.T, (
        ("ELBO", "nats per picture"),
        (f"Latents in use, of {LATENTS}", "number"),
        ("Error of the decoded mean", "sum of squares per picture"),
    ), strict=True)  # fmt: skip
    for axes, values, (title, unit) in named:
        axes.plot(VARIANCES, values, color=BLUE)
        axes.axvline(learned, color=VERMILION, linestyle="--", linewidth=1)
        axes.set(title=title, ylabel=unit, xlabel="variance c of a pixel", xscale="log")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.annotate("learned c", (learned, 0.9), xytext=(4, 0), textcoords="offset points",
                  xycoords=axes.get_xaxis_transform(), color=VERMILION)  # fmt: skip
    chosen = x[list(SHOWN_PICTURES)]
    columns = {"original": chosen}
    for c in (*SHOWN_VARIANCES, learned):
        kept = np.maximum(1 - c / eigenvalues[:LATENTS], 0.0)
        code = (chosen - mean) @ vectors[:, :LATENTS] * kept
        columns[f"c = {c:.2g}"] = mean + code @ vectors[:, :LATENTS].T
    for axes, (label, column) in zip(below.subplots(1, len(columns)), columns.items(), strict=True):
        shown = np.round(255 * np.clip(column, 0, 1)).astype(np.uint8)
        plots.show_picture(axes, pictures.grid(shown.reshape(-1, *images.shape), columns=1))
        axes.set_title(label, fontweight="normal", loc="center")
    return figure


def linear_vae(eigenvalues: np.ndarray, c: float, latents: int) -> tuple[float, int, float]:
    """Return the ELBO, latents in use, and squared error of the decoded mean, of the best one.

    Args:
        eigenvalues: of the data's covariance, float (d,), falling.
        c: variance of a pixel given z.
        latents: how many there are.

    Returns:
        In nats per picture, a number, and a sum over pixels.

    Source: Lucas et al. (2019), "Don't blame the ELBO!", section 4: at the optimum the bound is
    tight, so it is the log-likelihood of N(mean, W W' + c I).
    """
    used = eigenvalues[:latents][eigenvalues[:latents] > c]
    variance = np.full(len(eigenvalues), c)
    variance[: len(used)] = used
    elbo = -0.5 * np.sum(np.log(2 * np.pi * variance) + eigenvalues / variance)
    # The mean of q(z | x), decoded, is a used latent's share 1 - c / lambda.
    lost = np.sum(c**2 / used) + eigenvalues[len(used) :].sum()
    return float(elbo), len(used), float(lost)
