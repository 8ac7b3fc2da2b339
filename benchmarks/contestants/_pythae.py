"""pythae's VAE, trained by its own trainer.

Two kinds of networks: its default, one hidden layer of 512, and those for MNIST in its
`models.nn.benchmarks`, convolutions of up to 1,024 channels, 17 million parameters. Adam at 1e-3
and batches of 64 are what its documentation trains with; 16 latents are those of its networks'
documentation.

Source: Chadebec et al. (2022), "Pythae: Unifying Generative Autoencoders in Python".
"""

# The library is not among what kgen is developed with.
# pyright: reportMissingImports=false

from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset, DatasetOutput
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
from pythae.samplers import NormalSampler
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from benchmarks.contestants import Codes, Outcome, Task, pictures
from benchmarks.contestants._torch import begin, channels_last, count
from benchmarks.contestants.budget import Stopwatch
from kgen.pictures import to_uint8

LATENT = 16
BATCH_SIZE, LEARNING_RATE = 64, 1e-3
SHAPE = (1, 28, 28)
ENCODED_AT_ONCE = 500


class Spent(Exception):
    """The budget is."""


class Budget(TrainingCallback):
    """Counts steps, and ends the training by an exception: the trainer only knows epochs.

    Args:
        seconds: of processor time.
    """

    def __init__(self, seconds: float):
        self.seconds, self.steps, self.clock = seconds, 0, Stopwatch()

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.clock = Stopwatch()

    def on_train_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Count a step of the optimizer."""
        self.steps += 1
        if self.clock.spent >= self.seconds:
            raise Spent


def compete(task: Task, networks: str) -> Outcome:
    """Train until the budget is spent, and draw from N(0, I)."""
    begin(task)
    model = build(networks)
    budget = Budget(task.seconds)
    trainer = BaseTrainer(
        model=model,
        train_dataset=dataset(pictures("train")),
        training_config=BaseTrainerConfig(
            output_dir=str(task.folder / "pythae"),
            num_epochs=10**6,
            learning_rate=LEARNING_RATE,
            per_device_train_batch_size=BATCH_SIZE,
            seed=task.seed,
            no_cuda=True,
        ),
        callbacks=[budget],
    )
    try:
        trainer.train()
    except Spent:
        spent = budget.clock.spent
    else:
        raise RuntimeError("pythae's trainer ended before its budget.")
    model.eval()
    clock = Stopwatch()
    with torch.no_grad():
        drawn: Any = NormalSampler(model).sample(task.n, batch_size=ENCODED_AT_ONCE)
    return Outcome(
        images=to_uint8(channels_last(drawn), 0.0, 1.0),
        steps=budget.steps,
        batch_size=BATCH_SIZE,
        cpu_seconds=spent,
        sampling_seconds=clock.spent,
        parameters={"encoder": count(model.encoder), "decoder": count(model.decoder)},
        codes=codes(model),
    )


def build(networks: str) -> Any:
    """Make the model: pixels are Gaussian with variance 1, the library's default."""
    config = VAEConfig(input_dim=SHAPE, latent_dim=LATENT)
    if networks == "default":
        return VAE(config)
    return VAE(
        config, encoder=Encoder_Conv_VAE_MNIST(config), decoder=Decoder_Conv_AE_MNIST(config)
    )


def dataset(images: np.ndarray) -> BaseDataset:
    """Make the library's data set, floats in [0, 1], of uint8 pictures."""
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 255.0
    return BaseDataset(data=x, labels=torch.zeros(len(x)))


def codes(model: Any) -> Codes:
    """Encode and rebuild pictures, as many of the training set as there are in the test set."""
    test = pictures("test")
    (train_error, _), (test_error, test_kl) = (
        _code(model, images) for images in (pictures("train")[: len(test)], test)
    )
    return Codes(
        train_error=train_error, test_error=test_error, test_kl=test_kl, pixels=test[0].size
    )


def _code(model: Any, images: np.ndarray) -> tuple[float, float]:
    """Return the means of the squared error and of the KL term, by the library's own loss."""
    data, sums = dataset(images).data, np.zeros(2)
    with torch.no_grad():
        for x in data.split(ENCODED_AT_ONCE):
            made = model(DatasetOutput(data=x))
            # Its reconstruction loss is half of the squared error.
            sums += len(x) * np.array([2.0 * float(made.recon_loss), float(made.reg_loss)])
    error, kl = (sums / len(data)).tolist()
    return error, kl
