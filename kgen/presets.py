"""Named starting points of a configuration, per family.

A preset states only what differs from the defaults of :mod:`kgen.config`. ``quick`` is used when
none is named: it finishes in minutes on two CPU cores.
"""

from typing import Any

Values = dict[str, dict[str, Any]]

PRESETS: dict[str, dict[str, Values]] = {
    "gan": {
        # Small batches: on a small budget, more steps beat better ones.
        "quick": {
            # The penalty, in place of dropout, is what large steps need: docs/gan.md, section 5.
            "model": {"dropout": 0.0, "loss": "relativistic", "gradient_penalty": 1.0},
            # A generator ten times as fast as its opponent learned best at every length that was
            # tried (docs/quality.md, section 2): it has most to learn, and batch norm bears it.
            "optimizer": {
                "learning_rate": 1.2e-2,
                "discriminator_learning_rate": 1.2e-3,
                "beta_1": 0.5,
                "decay": "cosine",
            },
            "training": {"epochs": 60, "batch_size": 32, "sample_epochs": 12},
        },
        # Goodfellow et al. 2014: the minimax game itself (eq. 1), SGD with momentum (Algorithm 1),
        # one discriminator step for each generator step, fully connected networks with dropout.
        "paper": {
            "model": {"network": "mlp", "latent_dim": 100, "loss": "minimax", "dropout": 0.5},
            "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.5},
            "training": {"epochs": 200, "batch_size": 100, "sample_epochs": 10},
        },
        # The program shown in the study notes: an MLP GAN on MNIST.
        "notes": {
            "model": {
                "network": "mlp",
                "latent_dim": 100,
                "generator_widths": [256, 512, 1024],
                "discriminator_widths": [512, 256],
                "dropout": 0.0,
                "discriminator_steps": 2,
            },
            "optimizer": {"learning_rate": 2e-4, "beta_1": 0.5},
            "data": {"source": "mnist", "validation": 0.0},
            "training": {"epochs": 1000, "batch_size": 1280, "sample_epochs": 200},
            "output": {"grid": 25},
        },
        "gpu": {
            "model": {
                "latent_dim": 128,
                "generator_widths": [512, 256, 128],
                "discriminator_widths": [128, 256, 512],
            },
            "optimizer": {"learning_rate": 2e-4, "beta_1": 0.5},
            "data": {"image_size": 32},
            "training": {"epochs": 100, "batch_size": 256, "precision": "bfloat16"},
        },
    },
    "ae": {
        "quick": {"training": {"epochs": 40, "sample_epochs": 5}},
        "gpu": {
            "model": {
                "latent_dim": 64,
                "encoder_widths": [128, 256, 512],
                "decoder_widths": [512, 256, 128],
            },
            "data": {"image_size": 32},
            "training": {"epochs": 100, "batch_size": 256, "precision": "bfloat16"},
        },
    },
    "vae": {
        # The flow moves the prior to where the codes of pictures are, so that a learned variance,
        # which rebuilds best, draws best as well (docs/vae.md). It starts near where it ends. Muon
        # learns in a third of the steps what Adam does (docs/quality.md, section 3).
        "quick": {
            "model": {"prior": "flow", "flow_width": 64, "variance": 0.02},
            "optimizer": {"name": "muon", "learning_rate": 4e-3, "decay": "cosine"},
            "training": {"epochs": 36, "sample_epochs": 9},
        },
        # Kingma & Welling 2014: fully connected networks (appendix C), a Gaussian of fixed variance
        # as the pixel's distribution, the plain ELBO.
        "paper": {
            "model": {
                "network": "mlp",
                "latent_dim": 20,
                "encoder_widths": [500],
                "decoder_widths": [500],
                "likelihood": "gaussian",
                "variance": 0.05,
            },
            "training": {"epochs": 100, "batch_size": 100, "sample_epochs": 10},
        },
        # The program shown in the study notes: an MLP VAE 784-400-20 on MNIST.
        "notes": {
            "model": {
                "network": "mlp",
                "latent_dim": 20,
                "encoder_widths": [400],
                "decoder_widths": [400],
                "likelihood": "bernoulli",
            },
            "data": {"source": "mnist", "validation": 0.0},
            "training": {"epochs": 15, "batch_size": 128},
        },
        "gpu": {
            "model": {
                "latent_dim": 64,
                "prior": "flow",
                "flow_depth": 12,
                "encoder_widths": [128, 256, 512],
                "decoder_widths": [512, 256, 128],
            },
            "data": {"image_size": 32},
            "training": {"epochs": 100, "batch_size": 256, "precision": "bfloat16"},
        },
    },
    "ddpm": {
        # Small batches: a picture costs the same in any batch, and more steps learn faster. Muon
        # learns from a step what takes Adam nearly two (docs/quality.md, section 4).
        "quick": {
            "optimizer": {"name": "muon", "learning_rate": 1.2e-2, "decay": "cosine",
                          "warmup_steps": 100, "clip_norm": 1.0},
            "training": {"epochs": 36, "batch_size": 32, "sample_epochs": 12},
        },
        # Ho et al. 2020: linear schedule, T = 1000, the network predicts the noise (eq. 14).
        "paper": {
            "model": {"schedule": "linear", "prediction": "eps"},
            "optimizer": {"learning_rate": 2e-4, "warmup_steps": 5000, "clip_norm": 1.0,
                          "ema_decay": 0.9999},
            "training": {"epochs": 800, "batch_size": 128, "sample_epochs": 20},
        },
        "gpu": {
            "model": {"widths": [128, 256, 256]},
            "optimizer": {"learning_rate": 2e-4, "warmup_steps": 1000, "clip_norm": 1.0},
            "data": {"image_size": 32},
            "training": {"epochs": 300, "batch_size": 256, "precision": "bfloat16",
                         "sample_epochs": 10},
        },
    },
}  # fmt: skip

VARIANTS: dict[tuple[str, str, str, str], Values] = {
    # By the rates of convolutional networks a fully connected discriminator wins.
    ("gan", "quick", "model.network", "mlp"): {
        "model": {"generator_widths": [256, 512], "discriminator_widths": [512, 256]},
        "optimizer": {"learning_rate": 3e-3, "discriminator_learning_rate": 3e-4},
    },
    # Muon's products are a small part of a step beside convolutions, and most of one beside these.
    ("vae", "quick", "model.network", "mlp"): {
        "optimizer": {"name": "adam", "learning_rate": 2e-3}
    },
    # Muon's rates are next to where Adam diverges, or past its best (docs/quality.md).
    ("vae", "quick", "optimizer.name", "adam"): {"optimizer": {"learning_rate": 2e-3}},
    ("ddpm", "quick", "optimizer.name", "adam"): {"optimizer": {"learning_rate": 6e-3}},
}
"""What a preset says otherwise once an option has a value: by family, preset, option and value."""

DEFAULT_PRESET = "quick"
