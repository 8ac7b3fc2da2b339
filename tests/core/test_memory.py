"""What `--dry-run` says of memory, against the peaks of training processes."""

import keras
import pytest

from benchmarks import memory as benchmark

pytestmark = pytest.mark.backend

BATCH = 1024
"""Large enough that the outputs of layers are a good part of the peak on every backend."""


@pytest.fixture(scope="module")
def measured():
    """Train the default VAE a few steps in a process each, by 1 and by 8 parts of a batch."""
    overrides = {"training.batch_size": BATCH, "data.validation": 0.0}
    with pytest.MonkeyPatch.context() as environment:
        # The compiler's work is part of the peak, and the tests' own flags spare it some.
        environment.delenv("XLA_FLAGS", raising=False)
        return {
            parts: benchmark.measure(
                keras.backend.backend(),
                family="vae",
                preset="quick",
                overrides={**overrides, "training.accumulate": parts},
                steps=2,
            )
            for parts in (1, 8)
        }


@pytest.mark.parametrize("parts", [1, 8])
def test_the_estimate_is_within_a_quarter_of_the_peak(measured, parts):
    assert measured[parts]["estimate"] == pytest.approx(measured[parts]["peak"], rel=0.25)


def test_parts_are_computed_in_the_memory_of_one(measured):
    # All layers' outputs are a lower bound of what a whole batch needs, but for what a compiler
    # does not keep: half of them is safely more than noise, and less than parts in parallel save.
    seven_eighths = 7 / 8 * measured[1]["outputs"]
    assert measured[1]["peak"] - measured[8]["peak"] > seven_eighths / 2
