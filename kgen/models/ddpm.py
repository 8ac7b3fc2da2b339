"""Denoising diffusion probabilistic model (Ho et al. 2020)."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from kgen import noise as host_noise
from kgen import sampler_options, samplers
from kgen.config import DDPMConfig
from kgen.layers.noise_schedule import NoiseSchedule
from kgen.models.generative import GenerativeModel, Noise, Progress, following, to_uint8
from kgen.networks import build_denoiser, call
from kgen.pictures import BATCH
from kgen.sampler_plans import PLANS, SamplerPlan
from kgen.schedule import timesteps
from kgen.step import Objective


@keras.saving.register_keras_serializable(package="kgen")
class DDPM(GenerativeModel):
    """Learns to take a little noise out of a picture; repeated, that makes pictures of noise.

    One step is Algorithm 1: draw t and eps, noise x0 to x_t in closed form (eq. 4), and descend
    the squared error of what the network predicts (eq. 14 for `eps`). Pictures are in [-1, 1].
    """

    config_class = DDPMConfig
    family = "ddpm"
    log_names: ClassVar = ("loss", "eps_mse")

    settings: DDPMConfig

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        c = self.settings
        self.schedule = NoiseSchedule(
            c.num_timesteps, c.schedule, c.beta_start, c.beta_end, name="schedule"
        )
        self.denoiser = build_denoiser(self.image_shape, c.widths, name="denoiser")
        self.ema_denoiser = self.average_of(
            self.denoiser, build_denoiser(self.image_shape, c.widths, name="ema_denoiser")
        )
        self.built = True

    @property
    def parts(self) -> dict[str, keras.Model]:
        """The denoiser that draws pictures (the average)."""
        return {"denoiser": self.ema_denoiser}

    def scale(self, images: Any) -> Any:
        """Map uint8 to [-1, 1]."""
        return ops.cast(images, "float32") / 127.5 - 1.0

    def draw(self, batch_size: int, seed: Any) -> Noise:
        """Draw t, int32 in [0, num_timesteps), and eps ~ N(0, I) of the batch's shape.

        Each t is uniform, but those of a batch are one grid, moved at random: every batch sees
        all amounts of noise evenly, so that its loss says less about which t it happened to draw.

        Source: Kingma et al. (2021), appendix I.1.
        """
        length = self.settings.num_timesteps
        grid = ops.cast(ops.arange(batch_size), "float32") / ops.cast(batch_size, "float32")
        u: Any = (grid + keras.random.uniform((), seed=seed)) % 1.0
        # Rounding may take the product up to num_timesteps.
        t = ops.minimum(ops.cast(u * length, "int32"), length - 1)
        eps = keras.random.normal((batch_size, *self.image_shape), seed=following(seed))
        return {"t": t, "eps": eps}

    def optimized(self) -> dict[str, list[keras.Variable]]:
        """The denoiser's variables."""
        return {"model": self.denoiser.trainable_variables}

    def objectives(self, training: bool) -> Iterator[Objective]:
        """Yield the one objective."""
        yield Objective(
            loss=partial(self.loss_and_logs, training=training),
            variables=self.optimized()["model"],
            optimizer=self.optimizer.members["model"],
            name="model",
            independent=True,
        )

    def loss_and_logs(self, x0: Any, labels: Any, noise: Noise, training: bool) -> Any:
        """Compute the mean squared error of the prediction, and of eps_hat that it implies."""
        t, eps = noise["t"], noise["eps"]
        kind = self.settings.prediction
        network = self.denoiser if training else self.ema_denoiser
        xt = self.schedule.q_sample(x0, t, eps)
        prediction = call(network, training, xt=xt, t=t, label=labels)
        loss = ops.mean(ops.square(prediction - self.schedule.target(kind, x0, eps, t)))
        _, eps_hat = self.schedule.x0_eps(kind, prediction, xt, t)
        return loss, {"loss": loss, "eps_mse": ops.mean(ops.square(eps_hat - eps))}

    # Pictures.

    def _x0_hat(self, xt: Any, t: Any) -> Any:
        """Return the clean pictures that the averaged network sees in xt."""
        prediction = call(self.ema_denoiser, False, xt=xt, t=t)
        return self.schedule.x0_eps(self.settings.prediction, prediction, xt, t)[0]

    @cached_property
    def _predict_x0(self) -> Callable[..., Any]:
        return self.inference(self._x0_hat)

    @cached_property
    def _denoise(self) -> Callable[..., Any]:
        def denoise(images: Any, t: Any, eps: Any) -> Any:
            return self._x0_hat(self.schedule.q_sample(self.scale(images), t, eps), t)

        return self.inference(denoise)

    def denoise(
        self, images: np.ndarray, t: np.ndarray, eps: np.ndarray, progress: Progress | None = None
    ) -> np.ndarray:
        """Add noise to pictures, and return the clean pictures that the model sees in the result.

        Args:
            images: uint8 (n, h, w, c).
            t: int32 (n,), in [0, num_timesteps): how much noise.
            eps: float32 (n, h, w, c), standard normal: which noise.
            progress: called with (pictures done, n).

        Returns:
            x0_hat, float32 (n, h, w, c): pictures in [-1, 1], not clipped.
        """
        return self.in_batches(self._denoise, images, t, eps, progress=progress)

    def plan(
        self,
        sampler: str | None = None,
        num_steps: int | None = None,
        eta: float | None = None,
        variance: str | None = None,
        spacing: str = "trailing",
    ) -> SamplerPlan:
        """Choose a sampler and its steps; None is what :mod:`kgen.sampler_options` says.

        Args:
            sampler: ``dpmpp`` (the default; Lu et al. 2022, DPM-Solver++, Algorithm 2), ``ddim``
                (Song et al. 2021, eq. 12) or ``ddpm`` (Ho et al. 2020, Algorithm 2).
            num_steps: network calls, at most `num_timesteps`; by default 25 of dpmpp, 50 of ddim,
                all of ddpm, or fewer in a shorter chain.
            eta: noise of dpmpp and ddim: 0 is none (the default of ddim), 1 as much as DDPM's
                small variance (the default of dpmpp).
            variance: DDPM's, ``fixed_small`` (beta_tilde, the default) or ``fixed_large`` (beta).
            spacing: which timesteps are visited, see :func:`kgen.schedule.timesteps`.

        Raises:
            KgenError: a name or number is out of range, or an option is another sampler's.
        """
        options = {"sampler": sampler, "num_steps": num_steps, "eta": eta, "variance": variance}
        given = {name: value for name, value in options.items() if value is not None}
        length = self.settings.num_timesteps
        settled = sampler_options.settle(given, length)
        make = PLANS[settled.pop("sampler")]
        visited = timesteps(length, settled.pop("num_steps"), spacing)
        return make(self.schedule.tables, visited, **settled)

    def generate(
        self, n: int, *, seed: int = 0, start: int = 0, progress: Progress | None = None,
        clip: bool = True, **options: Any,
    ) -> np.ndarray:  # fmt: skip
        """Turn noise into `n` pictures from `start` on; `options` are those of :meth:`plan`.

        The same seed starts from the same noise on every backend and with every sampler.
        """
        frames = self._sample(n, seed, start, progress, clip, options, keep=[])
        return frames[-1]

    def preview(self, n: int) -> np.ndarray:
        """Draw `n` pictures in few steps, always from the same noise: uint8 (n, h, w, c)."""
        c = self.settings
        return self.generate(n, num_steps=min(c.preview_steps, c.num_timesteps))

    def trajectory(
        self, n: int, frames: int, *, seed: int = 0, progress: Progress | None = None,
        clip: bool = True, **options: Any,
    ) -> np.ndarray:  # fmt: skip
        """Show noise becoming pictures: uint8 (frames, n, h, w, c), the last the result."""
        steps = len(self.plan(**options).timesteps)
        keep = np.unique(np.linspace(0, steps - 1, max(frames - 1, 1)).round().astype(int))
        return self._sample(n, seed, 0, progress, clip, options, keep=[int(i) for i in keep])

    def _sample(
        self, n: int, seed: int, begin: int, progress: Progress | None, clip: bool,
        options: dict[str, Any], keep: list[int],
    ) -> np.ndarray:  # fmt: skip
        """Run the sampler in batches; return x_t before each step in `keep`, and x_0."""
        plan, numbers = self.plan(**options), math.prod(self.image_shape)
        x_T = host_noise.normal(seed, (n, *self.image_shape), start=begin * numbers)
        size, total = min(n, BATCH), len(plan.timesteps)
        batches = []
        for start in range(0, n, size):
            rows = np.minimum(np.arange(start, start + size), n - 1)

            def step_noise(i: int, shape: Any, first: int = (begin + start) * numbers) -> Any:
                return ops.convert_to_tensor(
                    host_noise.normal(seed, shape, stream=i + 1, start=first)
                )

            kept = []

            def on_step(i: int, t: int, xt: Any, x0_hat: Any, start: int = start,
                        kept: list[Any] = kept) -> None:  # fmt: skip
                if i in keep:
                    kept.append(ops.convert_to_numpy(xt))
                if progress:
                    progress(start // size * total + i + 1, -(-n // size) * total)

            x0 = samplers.sample(
                self._predict_x0, ops.convert_to_tensor(x_T[rows]), plan, step_noise, clip, on_step
            )
            kept.append(ops.convert_to_numpy(x0))
            batches.append(np.stack(kept)[:, : min(size, n - start)])
        return to_uint8(np.concatenate(batches, axis=1), -1.0, 1.0)

    def forward_process(self, images: np.ndarray, ts: list[int], seed: int = 0) -> np.ndarray:
        """Show uint8 pictures (n, h, w, c) turning into noise: uint8 (len(ts), n, h, w, c)."""
        x0 = self.scale(ops.convert_to_tensor(images))
        eps = ops.convert_to_tensor(host_noise.normal(seed, images.shape))
        frames = [
            self.schedule.q_sample(x0, ops.full((len(images),), t, dtype="int32"), eps) for t in ts
        ]
        return to_uint8(ops.convert_to_numpy(ops.stack(frames)), -1.0, 1.0)
