"""How well a diffusion model takes noise away, at every timestep, and its worth in bits."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kgen import noise
from kgen.evaluation.diagnostics import bound
from kgen.evaluation.diagnostics.estimate import mean, only_finite, spread
from kgen.evaluation.diagnostics.linear import Linear
from kgen.evaluation.diagnostics.timesteps import Strata, timesteps
from kgen.evaluation.record import Findings, Series, Value
from kgen.models.ddpm import DDPM
from kgen.models.generative import Progress
from kgen.sampler_options import ETA, SAMPLERS

PICTURES = 256
"""Pictures at each single timestep, the same with the same noise, so that timesteps compare."""
DRAWS = 2048
"""Pairs of a picture and a timestep that the averages over all timesteps are of."""
CHUNK = 256
"""Pictures that are denoised at a time, so that memory does not grow with their number."""
SHOWN, FRAMES = 8, 8
"""Pictures of a trajectory, and moments of each."""
STEPS = (5, 10, 20, 50, 100)
"""Numbers of network calls that a picture is drawn in."""
NOTABLE = 0.01
"""Bits per dimension of L_T above which the chain's end still shows the picture."""
_ERRORS = 3.0  # standard errors by which the network has to be worse before it is told

DRAW_STREAM = 2**40
"""Stream of the noise of the averages; that of the single timesteps is 0."""
_ORDER_DOMAIN = 18  # keeps the order of the pictures apart from the other numbers of a seed


def examine(
    model: DDPM,
    held_out: np.ndarray,
    train: np.ndarray,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Measure a DDPM by how it denoises pictures it has not seen.

    The bar is the best linear denoiser, that of Gaussian pictures with the mean and covariance of
    the training pictures. The bound in bits is that of ancestral sampling, with x0_hat clipped to
    [-1, 1] and the variance beta; see :mod:`kgen.evaluation.diagnostics.bound`.

    Args:
        model: trained; its averaged denoiser is measured, the one that draws.
        held_out: pictures uint8 (n, h, w, c).
        train: those it was trained on, uint8 (m, h, w, c).
        seed: of the noise and of the timesteps.
        progress: called with (pictures denoised, all that will be).

    Returns:
        Values ``eps_mse``, ``vlb_bits_per_dim``; series ``eps_mse_by_t`` and
        ``vlb_by_t``, where t = 1 is the least noisy, as in the papers.
    """
    linear = Linear.fit(train)
    denoiser = _Denoiser(model, seed, progress, total=_work(model, len(held_out)))
    found = _by_timestep(denoiser, held_out, linear)
    return only_finite(found | _averages(denoiser, held_out, linear))


def steps_curve(
    model: DDPM,
    measure: Callable[[np.ndarray], float],
    *,
    n: int,
    y_label: str,
    numbers: tuple[int, ...] = STEPS,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Series:
    """Say what fewer network calls cost: the quality of pictures drawn in few steps and in many.

    Args:
        model: trained.
        measure: a number of pictures uint8 (n, h, w, c), such as their Fréchet distance.
        n: pictures drawn for each number.
        y_label: what `measure` measures.
        numbers: of network calls; those beyond the model's chain are left out.
        seed: of the noise, the same for each number.
        progress: called with (network calls done for all n pictures, all that will be).
        **options: of :meth:`kgen.models.ddpm.DDPM.plan`.

    Returns:
        One line, by the sampler's name, without the numbers at which `measure` is not finite.
    """
    numbers = tuple(s for s in numbers if s <= model.settings.num_timesteps)
    total, points = sum(numbers), []
    for i, steps in enumerate(numbers):

        def report(done: int, all_steps: int, i: int = i) -> None:
            if progress:
                progress(sum(numbers[:i]) + done * numbers[i] // all_steps, total)

        images = model.generate(n, seed=seed, progress=report, num_steps=steps, **options)
        quality = float(measure(images))
        if math.isfinite(quality):
            points.append((float(steps), quality))
    name = model.plan(num_steps=1, **options).title
    return Series(
        x=tuple(steps for steps, _ in points),
        x_label="network calls for a picture",
        y_label=y_label,
        lines={name: tuple(quality for _, quality in points)},
        log_x=True,
    )


def trajectory_pictures(model: DDPM, *, seed: int = 0, **options: Any) -> np.ndarray:
    """Draw pictures at moments of their way: uint8 (pictures * moments, h, w, c), 8 of each.

    A picture is a row, from noise on the left. A sampler of fewer steps shows some of them twice.

    Args:
        model: trained.
        seed: of the noise.
        **options: of :meth:`kgen.models.ddpm.DDPM.plan`.
    """
    frames = model.trajectory(SHOWN, FRAMES, seed=seed, **options)
    moments = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    return frames[moments].swapaxes(0, 1).reshape(-1, *frames.shape[2:])


def steps_pictures(
    model: DDPM, *, numbers: tuple[int, ...] = STEPS, seed: int = 0, **options: Any
) -> np.ndarray:
    """Draw the same noise in each number of steps: uint8 (numbers * 8, h, w, c), a row for each.

    Without noise in the steps, where the sampler can do without: with it, each number would be
    another way to other pictures.
    """
    if options.get("sampler", SAMPLERS[0]) in ETA:
        options = {**options, "eta": 0.0}
    numbers = tuple(s for s in numbers if s <= model.settings.num_timesteps)
    rows = [model.generate(SHOWN, seed=seed, num_steps=steps, **options) for steps in numbers]
    return np.concatenate(rows)


class _Denoiser:
    """What a model makes of noisy pictures, in chunks, with progress."""

    def __init__(self, model: DDPM, seed: int, progress: Progress | None, total: int):
        self.model, self.seed, self.progress, self.total = model, seed, progress, total
        self.tables = model.schedule.tables
        self.done = 0

    def look(self, images: np.ndarray, t: np.ndarray, stream: int) -> tuple[np.ndarray, np.ndarray]:
        """Denoise pictures uint8 (n, h, w, c) at timesteps int (n,).

        Returns:
            float64 (n,) each, averaged over the values of a picture: the squared error of eps_hat,
            and the term of the bound in nats, with x0_hat clipped to [-1, 1].
        """
        pieces = [
            self._piece(images[i : i + CHUNK], t[i : i + CHUNK], stream, i * images[0].size)
            for i in range(0, len(images), CHUNK)
        ]
        eps_mse, terms = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return eps_mse, terms

    def _piece(
        self, images: np.ndarray, t: np.ndarray, stream: int, start: int
    ) -> tuple[np.ndarray, np.ndarray]:
        axes = tuple(range(1, images.ndim))
        x0 = images / 127.5 - 1
        eps = noise.normal(self.seed, images.shape, stream=stream, start=start)
        x0_hat = self.model.denoise(images, t.astype(np.int32), eps).astype(np.float64)
        # eps_hat - eps = sqrt(snr) * (x0 - x0_hat): free of the difference of near numbers.
        eps_mse = self.tables.snr[t] * np.square(x0 - x0_hat).mean(axis=axes)
        x0_hat = np.clip(x0_hat, -1, 1)
        x0_mse = np.square(x0 - x0_hat).mean(axis=axes)
        terms = np.empty(len(t))
        first = t == 0
        terms[~first] = bound.transition_term(self.tables, t[~first], x0_mse[~first])
        terms[first] = bound.decoder_term(self.tables, x0[first], x0_hat[first])
        self.done += len(images)
        if self.progress:
            self.progress(self.done, self.total)
        return eps_mse, terms


def _work(model: DDPM, n: int) -> int:
    """Count the pictures that will be denoised."""
    length = model.settings.num_timesteps
    return len(timesteps(length)) * min(n, PICTURES) + Strata.draw(length, DRAWS, 0).t.size


def _by_timestep(denoiser: _Denoiser, held_out: np.ndarray, linear: Linear) -> Findings:
    """Denoise some pictures at some timesteps, beside the best linear denoiser."""
    tables = denoiser.tables
    images = held_out[spread(len(held_out), PICTURES)]
    chosen = timesteps(tables.num_timesteps)
    # The same noise for both: who is better shows before how good they are does.
    eps = noise.normal(denoiser.seed, images.shape)
    bars = linear.eps_errors(images, eps, tables.alpha_bars[chosen])
    ours, terms, worse = [], [], []
    for t, bar in zip(chosen, bars.T, strict=True):
        eps_mse, term = denoiser.look(images, np.full(len(images), t), stream=0)
        lead = mean(eps_mse - bar)
        ours.append(float(eps_mse.mean()))
        terms.append(float(term.mean()) / math.log(2))
        if lead.value > _ERRORS * (lead.sd or 0.0):
            worse.append(t + 1)
    axis = {
        "x": tuple(float(t + 1) for t in chosen),
        "x_label": f"timestep of {tables.num_timesteps}, 1 the least noisy",
        "log_x": True,
        "log_y": True,
    }
    said = ()
    if worse:
        said = (
            "The network takes away noise worse than the best linear denoiser at "
            f"{_ranges(worse, [t + 1 for t in chosen])} of {tables.num_timesteps} timesteps: it "
            "is not trained enough there, and what it gets wrong stays in the pictures.",
        )
    return Findings(
        series={
            "eps_mse_by_t": Series(
                y_label="mean squared error of the noise",
                lines={
                    "model": tuple(ours),
                    "best linear denoiser": tuple(bars.mean(axis=0).tolist()),
                },
                **axis,
            ),
            "vlb_by_t": Series(
                y_label="term of the bound, bits per dimension",
                lines={"model": tuple(terms)},
                **axis,
            ),
        },
        warnings=said,
    )


def _averages(denoiser: _Denoiser, held_out: np.ndarray, linear: Linear) -> Findings:
    """Average over all timesteps: the error that training lowers, and the bound."""
    tables = denoiser.tables
    length = tables.num_timesteps
    strata = Strata.draw(length, DRAWS, denoiser.seed)
    # A picture each; where there are fewer pictures than draws, some come again with other noise.
    pictures = np.resize(spread(len(held_out), strata.t.size), strata.t.size)
    rng = np.random.Generator(noise.philox(denoiser.seed, 0, domain=_ORDER_DOMAIN))
    images = held_out[rng.permutation(pictures)]
    eps_mse, terms = denoiser.look(images, strata.t.reshape(-1), stream=DRAW_STREAM)
    error, steps = strata.total(eps_mse), strata.total(terms)
    end = mean(bound.prior_term(tables, images / 127.5 - 1)).value / math.log(2)
    bar = mean(linear.eps_mse(held_out, tables.alpha_bars)).value
    value = Value(value=error.value / length, sd=(error.sd or 0.0) / length, bar=bar)
    said = ()
    if end > NOTABLE:
        said = (
            f"The noisiest pictures of the chain still show {end:.2g} bits per dimension of the "
            "first, but drawing starts from pure noise: take more timesteps, or a larger beta_end.",
        )
    if value.value > bar + _ERRORS * (value.sd or 0.0):
        said += (
            f"Over all timesteps the error of the noise, {value.value:.3g}, is above that of the "
            f"best linear denoiser ({bar:.3g}): train longer.",
        )
    return Findings(
        values={
            "eps_mse": value,
            "vlb_bits_per_dim": Value(
                value=end + steps.value / math.log(2), sd=(steps.sd or 0.0) / math.log(2)
            ),
        },
        warnings=said,
    )


def _ranges(numbers: list[int], among: list[int]) -> str:
    """Name numbers, those in a row among others as a range: "1, 56 to 445"."""
    runs: list[list[int]] = []
    for previous, number in zip([None, *among], among, strict=False):
        if number in numbers:
            if runs and runs[-1][-1] == previous:
                runs[-1].append(number)
            else:
                runs.append([number])
    return ", ".join(f"{r[0]}" if len(r) == 1 else f"{r[0]} to {r[-1]}" for r in runs)
