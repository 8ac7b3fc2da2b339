"""The configuration of a run: what to train, on what, how.

Frozen dataclasses whose fields carry their own help and range (:mod:`kgen.option`). They are read
from TOML (`--config`), changed by options, and written next to every run as `config.toml`.
"""

from dataclasses import dataclass
from typing import Annotated

from kgen.errors import KgenError
from kgen.option import Option, Section

BACKENDS = ("jax", "tensorflow", "torch")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True, slots=True)
class GANConfig(Section):
    """Generative adversarial network (Goodfellow et al. 2014)."""

    network: Annotated[
        str,
        Option(
            help="Kind of network; quick has widths and rates for each.",
            choices=("conv", "mlp"),
        ),
    ] = "conv"
    latent_dim: Annotated[
        int, Option(help="Length of the latent vector z.", low=1, high=65_536)
    ] = 64
    generator_widths: Annotated[
        tuple[int, ...],
        Option(
            help="Channels (conv) or units (mlp) of each generator level; empty: "
            "64,32 (conv), with more levels above 32 pixels, or 256,512,1024 (mlp).",
            low=1,
            high=65_536,
        ),
    ] = ()
    discriminator_widths: Annotated[
        tuple[int, ...],
        Option(
            help="Channels (conv) or units (mlp) of each discriminator level; empty: "
            "32,64,128 (conv), with more levels above 32 pixels, or 512,256 (mlp).",
            low=1,
            high=65_536,
        ),
    ] = ()
    dropout: Annotated[
        float, Option(help="Share of discriminator features dropped.", low=0, high=0.9)
    ] = 0.3
    loss: Annotated[
        str,
        Option(
            help="Loss of the game; relativistic compares each real picture with a fake one.",
            choices=("non_saturating", "minimax", "relativistic"),
            flag="--gan-loss",
        ),
    ] = "non_saturating"
    discriminator_steps: Annotated[
        int, Option(help="Discriminator updates for each generator update (k).", low=1, high=100)
    ] = 1
    gradient_penalty: Annotated[
        float,
        Option(
            help="Weight gamma of the discriminator's gradient penalty on real pictures (R1, "
            "approximated); 0: none.",
            low=0,
            high=1000,
        ),
    ] = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AEConfig(Section):
    """Autoencoder: the VAE's networks without sampling and KL."""

    network: Annotated[str, Option(help="Kind of network.", choices=("conv", "mlp"))] = "conv"
    latent_dim: Annotated[
        int, Option(help="Length of the latent vector z.", low=1, high=65_536)
    ] = 32
    encoder_widths: Annotated[
        tuple[int, ...],
        Option(
            help="Channels (conv) or units (mlp) of each encoder level; empty: "
            "32,64 (conv), 400 (mlp).",
            low=1,
            high=65_536,
        ),
    ] = ()
    decoder_widths: Annotated[
        tuple[int, ...],
        Option(
            help="Channels (conv) or units (mlp) of each decoder level; empty: "
            "64,32 (conv), 400 (mlp).",
            low=1,
            high=65_536,
        ),
    ] = ()
    likelihood: Annotated[
        str,
        Option(
            help="Distribution of a pixel given z.",
            choices=("gaussian_learned", "gaussian", "bernoulli"),
        ),
    ] = "gaussian_learned"
    variance: Annotated[
        float,
        Option(help="Variance c of a fixed Gaussian pixel (or the start of a learned one).",
               above=0, high=10),
    ] = 0.05  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig(AEConfig):
    """Variational autoencoder (Kingma & Welling 2014)."""

    prior: Annotated[
        str,
        Option(help="Distribution of z: N(0, I), or a flow that learns it.",
               choices=("normal", "flow")),
    ] = "normal"  # fmt: skip
    flow_depth: Annotated[int, Option(help="Coupling layers of a flow prior.", low=1, high=256)] = (
        10
    )
    flow_width: Annotated[
        int, Option(help="Hidden units of each layer of a flow prior.", low=1, high=65_536)
    ] = 128
    kl_weight: Annotated[
        float, Option(help="Weight of the KL term; 1 is the ELBO.", low=0, high=1000)
    ] = 1.0
    kl_warmup_steps: Annotated[
        int, Option(help="Steps over which the KL weight rises from 0.", low=0)
    ] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DDPMConfig(Section):
    """Denoising diffusion model (Ho et al. 2020)."""

    widths: Annotated[
        tuple[int, ...],
        Option(
            help="U-Net channels at each resolution; empty: 32,64 (larger pictures: more levels).",
            low=1,
            high=65_536,
        ),
    ] = ()
    num_timesteps: Annotated[
        int, Option(help="Length T of the forward chain.", low=2, high=10_000)
    ] = 1000
    schedule: Annotated[str, Option(help="Noise schedule.", choices=("cosine", "linear"))] = (
        "cosine"
    )
    beta_start: Annotated[
        float, Option(help="First beta of the linear schedule.", above=0, high=0.999)
    ] = 1e-4
    beta_end: Annotated[
        float, Option(help="Last beta of the linear schedule.", above=0, high=0.999)
    ] = 0.02
    prediction: Annotated[
        str, Option(help="What the network predicts.", choices=("v", "eps", "x0"))
    ] = "v"
    preview_steps: Annotated[
        int, Option(help="Sampling steps of the pictures drawn while training.", low=1, high=10_000)
    ] = 25

    def __post_init__(self) -> None:
        """Check the fields, and those that bound each other."""
        # Not super(): a slots dataclass is a new class, which breaks its zero-argument form.
        Section.__post_init__(self)
        if self.beta_end < self.beta_start:
            raise KgenError(
                "beta_end takes a value not below beta_start. "
                f"Received: beta_start={self.beta_start}, beta_end={self.beta_end}."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig(Section):
    """How weights move."""

    name: Annotated[
        str,
        Option(
            help="Optimizer; muon moves matrices by Muon, the rest by Adam.",
            choices=("adam", "muon", "sgd"),
            flag="--optimizer",
        ),
    ] = "adam"
    learning_rate: Annotated[float, Option(help="Learning rate.", above=0, high=10)] = 1e-3
    decay: Annotated[
        str, Option(help="Learning rate over the run.", choices=("constant", "cosine"))
    ] = "constant"
    warmup_steps: Annotated[
        int, Option(help="Steps over which the learning rate rises from 0.", low=0)
    ] = 0
    beta_1: Annotated[float, Option(help="Adam's first decay.", low=0, high=0.9999)] = 0.9
    beta_2: Annotated[float, Option(help="Adam's second decay.", low=0, high=0.999999)] = 0.999
    momentum: Annotated[float, Option(help="SGD's momentum.", low=0, high=0.9999)] = 0.9
    clip_norm: Annotated[
        float | None, Option(help="Largest norm of the whole gradient.", above=0)
    ] = None
    ema_decay: Annotated[
        float | None,
        Option(help="Decay of the weight average used for pictures; default fits the steps.",
               low=0, high=0.99999),
    ] = None  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class GANOptimizerConfig(OptimizerConfig):
    """How the weights of two players move."""

    discriminator_learning_rate: Annotated[
        float | None,
        Option(help="Discriminator's learning rate, if not the same.", above=0, high=10),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig(Section):
    """Which pictures."""

    source: Annotated[
        str,
        Option(
            help="embedded, fashion_mnist, mnist, cifar10, or the path of a folder of pictures, "
            "an IDX folder, a .npz or a .npy.",
            flag="--data",
        ),
    ] = "embedded"
    image_size: Annotated[
        int | None,
        Option(help="Height and width in pixels, a multiple of 4; default: the data's own.",
               low=8, high=512),
    ] = None  # fmt: skip
    channels: Annotated[
        int | None, Option(help="1 for grey, 3 for colour; default: the data's own.", low=1, high=3)
    ] = None
    validation: Annotated[
        float, Option(help="Share of pictures held out of training.", low=0, high=0.5)
    ] = 0.1

    def __post_init__(self) -> None:
        """Check the fields, and that pictures are grey or colour."""
        Section.__post_init__(self)
        if self.channels == 2:
            raise KgenError("channels takes 1 for grey or 3 for colour. Received: channels=2.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig(Section):
    """How long, how fast, where."""

    epochs: Annotated[int | None, Option(help="Passes over the data.", low=1)] = None
    steps: Annotated[int | None, Option(help="Training steps, in place of epochs.", low=1)] = None
    batch_size: Annotated[int, Option(help="Pictures in a step.", low=1, high=65_536)] = 64
    accumulate: Annotated[
        int,
        Option(
            help="Parts that a batch is computed in, one after the other, to save memory "
            "(gradient accumulation).",
            low=1,
            high=65_536,
        ),
    ] = 1
    seed: Annotated[
        int, Option(help="Seed of weights, order and noise.", low=0, high=2**31 - 1)
    ] = 0
    backend: Annotated[
        str | None,
        Option(help="Keras backend; default: $KERAS_BACKEND, else the fastest installed.",
               choices=BACKENDS),
    ] = None  # fmt: skip
    device: Annotated[str, Option(help="Where to compute.", choices=("auto", "cpu", "gpu"))] = (
        "auto"
    )
    precision: Annotated[str, Option(help="Numbers of the heavy layers.", choices=PRECISIONS)] = (
        "float32"
    )
    deterministic: Annotated[
        bool, Option(help="Same bits on every run on the same machine, at some cost in speed.")
    ] = False
    checkpoint_minutes: Annotated[
        float, Option(help="Minutes between checkpoints; 0: after every step.", low=0)
    ] = 2.0
    sample_epochs: Annotated[
        int, Option(help="Epochs between the grids drawn into samples/.", low=1)
    ] = 1

    def __post_init__(self) -> None:
        """Check the fields, that not both epochs and steps are given, and that parts are equal."""
        Section.__post_init__(self)
        if self.batch_size % self.accumulate:
            raise KgenError(
                "accumulate takes a number that divides the batch size. "
                f"Received: accumulate={self.accumulate}, batch_size={self.batch_size}."
            )
        if self.epochs is not None and self.steps is not None:
            raise KgenError(
                "Training length takes epochs or steps, not both. "
                f"Received: epochs={self.epochs}, steps={self.steps}."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputConfig(Section):
    """What is written besides the weights."""

    grid: Annotated[int, Option(help="Pictures in a sample grid.", low=1, high=1024)] = 64
    tensorboard: Annotated[bool, Option(help="Write TensorBoard events.")] = False
