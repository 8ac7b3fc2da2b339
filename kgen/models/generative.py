"""What every family shares: the training step, the weight average, the drawing of pictures."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from kgen.models.means import Means
from kgen.option import Section
from kgen.pictures import BATCH, to_uint8
from kgen.step import Objective, engine
from kgen.step.objective import Logs

__all__ = ["GenerativeModel", "Noise", "Progress", "to_uint8"]

Progress = Callable[[int, int], None]
Noise = dict[str, Any]


class GenerativeModel(keras.Model):
    """A model that learns from pictures and draws new ones.

    A family says what it minimises (:meth:`objectives`), which noise a step needs (:meth:`draw`)
    and how it makes pictures from noise; this class turns that into Keras's `train_step` and
    `test_step` on every backend.

    Args:
        config: the family's configuration, or its plain values.
        image_shape: (height, width, channels).
        ema_decay: decay of the weight average; 0 keeps no memory.

    Attributes:
        parts: the networks by name, in the order in which they are built and exported.
        averages: pairs (network, its weight average) kept by every step.
        accumulate: parts that a training step computes its batch in, one after the other, to save
            memory; 1 when made.
        step: number of updates done, int32.
        first_bad_step: step at which a loss first was not finite, int32; -1 if none was.
    """

    config_class: ClassVar[type[Section]]
    family: ClassVar[str]
    log_names: ClassVar[tuple[str, ...]]
    """Names of the scalars that a step reports, in order; the first is shown first."""
    noise_axis: ClassVar[int] = 0
    """Axis of a step's noise along which the pictures of the batch are."""

    def __init__(
        self,
        config: Section | dict[str, Any],
        image_shape: tuple[int, int, int],
        ema_decay: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        section = config if isinstance(config, Section) else self.config_class.from_mapping(config)
        # Keras would wrap a plain dict attribute; a frozen dataclass passes through untouched.
        self.settings = section
        height, width, channels = image_shape
        self.image_shape = (int(height), int(width), int(channels))
        self.ema_decay = float(ema_decay)
        self.accumulate = 1
        self.seeds = keras.random.SeedGenerator()
        self.means = Means(self.log_names)
        self.step = self._counter("step", 0)
        self.first_bad_step = self._counter("first_bad_step", -1)
        self.averages: list[tuple[keras.Model, keras.Model]] = []

    def _counter(self, name: str, start: int) -> keras.Variable:
        """Make an int32 variable that no optimizer moves."""
        return self.add_weight(
            name=name,
            shape=(),
            dtype="int32",
            initializer=keras.initializers.Constant(start),
            trainable=False,
            autocast=False,
        )

    def average_of(self, network: keras.Model, twin: keras.Model) -> keras.Model:
        """Keep in `twin` the running average of `network`'s weights; both start equal.

        The average, not the last weights, draws the pictures: it smooths the step noise of the
        optimizer (Polyak & Juditsky 1992; Ho et al. 2020, appendix B).
        """
        twin.trainable = False
        twin.set_weights(network.get_weights())
        self.averages.append((network, twin))
        return twin

    # What a family defines.

    @property
    @abstractmethod
    def parts(self) -> dict[str, keras.Model]:
        """The networks by name."""

    @property
    def references(self) -> dict[str, tuple[float, str]]:
        """Levels to compare scalars of `log_names` with, by their names: (value, words)."""
        return {}

    @abstractmethod
    def scale(self, images: Any) -> Any:
        """Map uint8 pictures to the float32 range that the family works in."""

    @abstractmethod
    def draw(self, batch_size: int, seed: Any) -> Noise:
        """Draw the noise of one step, by name; float32 unless said otherwise."""

    @abstractmethod
    def objectives(self, training: bool) -> Iterator[Objective]:
        """Yield what one step minimises, in order; the next sees the weights the last one left.

        Their losses are functions of (x, labels, noise).
        """

    @abstractmethod
    def optimized(self) -> dict[str, list[keras.Variable]]:
        """The variables that each optimizer moves, by the optimizer's name."""

    def updates(self) -> dict[str, int]:
        """How often each optimizer moves in a step, by its name, where that is not once."""
        return {}

    @abstractmethod
    def generate(
        self, n: int, *, seed: int = 0, start: int = 0, progress: Progress | None = None
    ) -> np.ndarray:
        """Draw pictures `start` to `start + n - 1` of a seed, uint8 (n, height, width, channels).

        A picture comes from its own rows of the host's noise (docs/noise.md), whatever is drawn
        before or with it. A batch of another size may round a pixel the other way; batches of
        :data:`kgen.pictures.BATCH` pictures that begin at its multiples do not.
        """

    @property
    def trained_parts(self) -> dict[str, keras.Model]:
        """The networks that training moves, by name; the averages are not among them."""
        originals = {id(twin): network for network, twin in self.averages}
        return {name: originals.get(id(part), part) for name, part in self.parts.items()}

    def preview(self, n: int) -> np.ndarray:
        """Draw `n` pictures quickly, always from the same noise: uint8 (n, h, w, c)."""
        return self.generate(n)

    def examine(self, images: np.ndarray) -> dict[str, float]:
        """Measure what a batch mean cannot show, on held-out pictures uint8 (n, h, w, c).

        Called once per epoch; empty where a family has nothing to add.
        """
        return {}

    # The training step.

    def train_step(self, *args: Any) -> Any:
        """Run one step; the engine of the current backend knows its signature."""
        return engine().train_step(self, *args)

    def test_step(self, *args: Any) -> Any:
        """Evaluate one batch; the engine of the current backend knows its signature."""
        return engine().test_step(self, *args)

    def update(self, data: Any) -> Logs:
        """Descend every objective once on a batch of (images uint8, labels int32)."""
        images, labels = _unpack(data)
        x = self.scale(images)
        noise = divide(self.draw(ops.shape(x)[0], self.seeds), self.noise_axis)
        batch = (x, labels, noise)
        if self.accumulate > 1:
            batch = self.in_parts(self.accumulate, *batch)
        logs: Logs = {}
        for objective in self.objectives(training=True):
            logs |= engine().descend(self, objective, batch, self.accumulate)
        means, decay = self._keep_books(logs)
        self._average(decay)
        return means

    def assess(self, data: Any) -> Logs:
        """Compute the losses of a batch without learning from it.

        The noise is the same in every call, so that numbers of different epochs compare and the
        training's own noise does not depend on whether there was an evaluation.
        """
        images, labels = _unpack(data)
        x = self.scale(images)
        noise = divide(self.draw(ops.shape(x)[0], 0), self.noise_axis)
        logs: Logs = {}
        for objective in self.objectives(training=False):
            logs |= objective.loss(x, labels, noise)[1]
        return self._track(self._stack(logs))

    def in_parts(self, count: int, x: Any, labels: Any, noise: Noise) -> tuple[Any, Any, Noise]:
        """Cut a batch into so many equal parts along a new first axis."""

        def cut(tensor: Any, axis: int = 0) -> Any:
            # Part j has pictures j, j + count, ...: where devices share a batch in lots, every
            # device has a share of each part.
            shape = ops.shape(tensor)
            shape = (*shape[:axis], shape[axis] // count, count, *shape[axis + 1 :])
            return ops.moveaxis(ops.reshape(tensor, shape), axis + 1, 0)

        labels = None if labels is None else cut(labels)
        return cut(x), labels, {name: cut(n, self.noise_axis) for name, n in noise.items()}

    def _stack(self, logs: Logs) -> Any:
        """Put a step's logs into one float32 tensor, in the order of `log_names`."""
        return ops.stack([ops.cast(logs[name], "float32") for name in self.log_names])

    def _track(self, values: Any) -> Logs:
        """Add a step's values to the means, and return those."""
        self.means.update_state(values)
        return self.means.result()

    @cached_property
    def _keep_books(self) -> Callable[[Logs], tuple[Logs, Any]]:
        """From a step's logs: the means of all since the last reset, and the averages' decay."""

        def keep(logs: Logs) -> tuple[Logs, Any]:
            values = self._stack(logs)
            return self._track(values), self._advance(values)

        counters = [self.step, self.first_bad_step]
        return engine().recorded([*counters, *self.means.variables], keep)

    def _advance(self, values: Any) -> Any:
        """Count the step, and note the first value that was not finite; return the decay."""
        finite = ops.all(ops.isfinite(values))
        step, noted = (ops.convert_to_tensor(v) for v in (self.step, self.first_bad_step))
        bad = ops.logical_and(ops.logical_not(finite), noted < 0)
        self.first_bad_step.assign(ops.where(bad, step, noted))
        self.step.assign(step + 1)
        # A fixed decay would remember the random start for 1 / (1 - decay) steps; this one grows.
        k = ops.cast(self.step, "float32")
        return ops.minimum(self.ema_decay, (1.0 + k) / (10.0 + k))

    def _average(self, decay: Any) -> None:
        """Move the weight averages towards the weights."""
        for network, twin in self.averages:
            engine().average(list(zip(network.weights, twin.weights, strict=True)), decay)

    # Pictures.

    def in_batches(
        self,
        function: Callable[..., Any],
        *arrays: np.ndarray,
        batch_size: int = BATCH,
        progress: Progress | None = None,
        finish: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
    ) -> np.ndarray:
        """Apply a compiled function of tensors to arrays, batch by batch.

        Args:
            function: made by :meth:`inference`; from tensors of n rows to a tensor of n rows.
            arrays: equal first dimension n.
            batch_size: largest number of rows at a time; short batches are padded, so that one
                compiled shape serves all.
            progress: called with (rows done, n).
            finish: applied to the rows of each batch: what makes them smaller does so before there
                are many.
        """
        n = len(arrays[0])
        size = min(batch_size, n)
        outputs = []
        for start in range(0, n, size):
            rows = [array[start : start + size] for array in arrays]
            missing = size - len(rows[0])
            padded = [np.concatenate([r, np.repeat(r[-1:], missing, axis=0)]) for r in rows]
            tensors = [ops.convert_to_tensor(p) for p in padded]
            outputs.append(finish(ops.convert_to_numpy(function(*tensors))[: size - missing]))
            if progress:
                progress(min(start + size, n), n)
        return np.concatenate(outputs)

    def inference(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile a function of tensors of n rows, each by itself, that reads the variables."""
        return engine().compiled(self, function, by_rows=True)

    # Keras's serialisation.

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` needs to rebuild the model."""
        return {
            "config": self.settings.to_mapping(),
            "image_shape": list(self.image_shape),
            "ema_decay": self.ema_decay,
            "name": self.name,
        }

    def call(self, inputs: Any) -> Any:
        """Refuse to be called: a generative model has no single input and output."""
        raise TypeError(
            f"{type(self).__name__} is not a function of pictures. Call one of its parts "
            f"({', '.join(self.parts)}), or generate(n)."
        )


def following(seed: Any) -> Any:
    """Return the seed of a step's next draw: a generator moves on by itself, a number must move.

    Two draws by the same number would share their bits.
    """
    return seed + 1 if isinstance(seed, int) else seed


def divide(noise: Noise, axis: int) -> Noise:
    """Divide a step's noise among the devices along `axis`, as the pictures of the batch are.

    What is computed from divided arrays stays divided. Noise begins inside of the step: left alone,
    every device would have all of it, and run a GAN's generator on the whole batch.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return noise
    axes = [None] * axis + [distribution.batch_dim_name]
    layout = keras.distribution.TensorLayout(axes, distribution.device_mesh)
    return {
        name: keras.distribution.distribute_tensor(value, layout) for name, value in noise.items()
    }


def _unpack(data: Any) -> tuple[Any, Any]:
    """Return (images, labels) of a batch as Keras hands it over; labels may be None."""
    images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    return images, labels
