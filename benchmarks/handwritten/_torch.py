"""The loops in PyTorch: `backward`, `torch.optim.Adam`, one fused call for the weight average."""

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from benchmarks.handwritten import EPSILON, Recipe


class Loop:
    """Feeds batches, counts the steps, averages the weights."""

    def __init__(self, model: Any, recipe: Recipe):
        self.model, self.recipe, self.count = model, recipe, 0
        self.updates: dict[str, int] = {}
        pairs = [pair for network, twin in model.averages for pair in _pairs(network, twin)]
        self.weights = [weight for weight, _ in pairs]
        self.twins = [average for _, average in pairs]
        self.device = model.trainable_variables[0].value.device

    def step(self, images: np.ndarray, noise: dict[str, np.ndarray] | None = None) -> Any:
        """Update once."""
        given = {name: torch.from_numpy(a).to(self.device) for name, a in (noise or {}).items()}
        losses = self.update(torch.from_numpy(images).to(self.device), given)
        if self.twins:
            average = get_ema_multi_avg_fn(self.recipe.decay(self.count))
            average(self.twins, self.weights, None)
        self.count += 1
        return losses

    def averages(self) -> list[np.ndarray]:
        """Wait, and return the weight averages."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return [average.detach().cpu().numpy() for average in self.twins]

    def adam(self, parameters: list[Any]) -> torch.optim.Adam:
        """Make an optimizer."""
        c = self.recipe.optimizer
        return torch.optim.Adam(parameters, lr=c.learning_rate, betas=(c.beta_1, c.beta_2))

    def descend(self, loss: Any, optimizer: torch.optim.Adam, part: str = "") -> None:
        """Move the optimizer's parameters once along the gradient of the loss."""
        parameters = optimizer.param_groups[0]["params"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=parameters)
        if self.recipe.optimizer.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.recipe.optimizer.clip_norm)
        group = optimizer.param_groups[0]
        group["lr"] = self.recipe.rate(self.count, part)
        # PyTorch adds epsilon after the correction of the second moment, Keras before.
        updates = self.updates[part] = self.updates.get(part, 0) + 1
        group["eps"] = EPSILON / math.sqrt(1.0 - group["betas"][1] ** updates)
        optimizer.step()

    def update(self, images: Any, noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once."""
        raise TypeError("Each family has its own.")


class GAN(Loop):
    """Discriminator, then generator."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        self.d_adam = self.adam([v.value for v in model.discriminator.trainable_variables])
        self.g_adam = self.adam([v.value for v in model.generator.trainable_variables])

    def update(self, images: Any, noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once."""
        c, d, g = self.model.settings, self.model.discriminator, self.model.generator
        real = images.float() / 127.5 - 1.0
        z = noise.get("z")
        if z is None:
            shape = (c.discriminator_steps + 1, len(images), c.latent_dim)
            z = torch.randn(shape, device=self.device)
        moves: Any = noise.get("direction")
        if moves is None and c.gradient_penalty:
            moves = torch.randn((c.discriminator_steps, *images.shape), device=self.device)
        d_loss: Any = None
        for turn in range(c.discriminator_steps):
            with torch.no_grad():
                fake = g({"z": z[turn]}, training=True)
            real_logits = d({"image": real}, training=True)
            fake_logits = d({"image": fake}, training=True)
            if self.model.relativistic:
                d_loss = F.softplus(fake_logits - real_logits).mean()
            else:
                d_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
            whole = d_loss
            if c.gradient_penalty and moves is not None:
                moved_logits = d({"image": real + 0.1 * moves[turn]}, training=True)
                slope = (moved_logits - real_logits) / 0.1
                whole = d_loss + 0.5 * c.gradient_penalty * slope.square().mean()
            self.descend(whole, self.d_adam, "discriminator")
        fake_logits = d({"image": g({"z": z[-1]}, training=True)}, training=True)
        if self.model.relativistic:
            fake_logits = fake_logits - d({"image": real}, training=True)
        g_loss = F.softplus(-fake_logits).mean()
        self.descend(g_loss, self.g_adam)
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}


class One(Loop):
    """Families with one objective."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        self.optimizer = self.adam([v.value for v in model.optimized()["model"]])

    def update(self, images: Any, noise: dict[str, Any]) -> dict[str, Any]:
        """Descend once."""
        loss = self.loss(images, noise)
        self.descend(loss, self.optimizer)
        return {"loss": loss.detach()}

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute the family's loss."""
        raise TypeError("Each family has its own.")


class VAE(One):
    """Minus the evidence lower bound."""

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute it in nats per picture."""
        model = self.model
        x = images.float() / 255.0
        code = model.encoder({"image": x}, training=True)
        mean, logvar = code["mean"], code["logvar"]
        eps = noise.get("eps")
        if eps is None:
            eps = torch.randn_like(mean)
        z = mean + eps * torch.exp(0.5 * logvar)
        raw = model.decoder({"z": z}, training=True)
        if model.settings.prior == "flow":
            kl = model.prior.kl(mean, logvar, z)
        else:
            kl = 0.5 * (torch.exp(logvar) - 1.0 - logvar + mean * mean).sum(-1)
        if model.settings.likelihood == "bernoulli":
            nats = F.binary_cross_entropy_with_logits(raw, x, reduction="none")
            error = nats.sum((1, 2, 3))
        else:
            spread = model.likelihood.log_variance.value
            squares = (x - torch.sigmoid(raw)).square().sum((1, 2, 3))
            count = math.prod(images.shape[1:])
            error = 0.5 * (count * (math.log(2 * math.pi) + spread) + squares * torch.exp(-spread))
        return (error + model.settings.kl_weight * kl).mean()


class DDPM(One):
    """The squared error of v."""

    def __init__(self, model: Any, recipe: Recipe):
        super().__init__(model, recipe)
        bars = model.schedule.tables.alpha_bars
        self.signal = torch.from_numpy(np.sqrt(bars)).float().to(self.device)
        self.noise = torch.from_numpy(np.sqrt(1 - bars)).float().to(self.device)

    def loss(self, images: Any, noise: dict[str, Any]) -> Any:
        """Compute it."""
        x0 = images.float() / 127.5 - 1.0
        t, eps = noise.get("t"), noise.get("eps")
        if t is None or eps is None:
            length = self.model.settings.num_timesteps
            t = torch.randint(length, (len(images),), device=self.device, dtype=torch.int32)
            eps = torch.randn_like(x0)
        a, s = self.signal[t][:, None, None, None], self.noise[t][:, None, None, None]
        v_hat = self.model.denoiser({"xt": a * x0 + s * eps, "t": t}, training=True)
        return F.mse_loss(v_hat, a * eps - s * x0)


def loop(model: Any, recipe: Recipe) -> Loop:
    """Make the loop of a model's family."""
    return {"gan": GAN, "vae": VAE, "ddpm": DDPM}[model.family](model, recipe)


def _pairs(network: Any, twin: Any) -> list[tuple[Any, Any]]:
    """Pair the tensors of a network and of its average."""
    both = zip(network.weights, twin.weights, strict=True)
    return [(weight.value, average.value) for weight, average in both]
