"""Host noise against the published generator, a normal distribution, and itself."""

import numpy as np
import pytest
from scipy import stats

from kgen.errors import KgenError
from kgen.noise import normal, philox

# Salmon et al. 2011, Random123's known-answer file kat_vectors: philox4x64 with 10 rounds,
# the counter and key at the start of each row, the four numbers drawn at its end.
PI = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
PI_KEY = (0x452821E638D01377, 0xBE5466CF34E90C6C)
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0),
     (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    ((2**64 - 1,) * 4, (2**64 - 1,) * 2,
     (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    (PI, PI_KEY,
     (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6)),
]  # fmt: skip


def philox_4x64_10(counter: tuple[int, ...], key: tuple[int, ...]) -> list[int]:
    """Compute a block of Philox4x64-10 with Python's integers, from the paper's section 3.3."""
    mask = 2**64 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        low, high = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(high >> 64) ^ c[1] ^ k[0], high & mask, (low >> 64) ^ c[3] ^ k[1], low & mask]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c


@pytest.mark.parametrize(("counter", "key", "numbers"), PUBLISHED)
def test_the_oracle_gives_the_published_numbers(counter, key, numbers):
    assert philox_4x64_10(counter, key) == list(numbers)


@pytest.mark.parametrize("domain", [0, 1, 2])
@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (7, 3), (2**64 - 1, 2**40)])
def test_the_raw_stream_is_philox_4x64_10_with_key_seed_and_stream(seed, stream, domain):
    # NumPy counts up before it draws: its first block is that of counter 1.
    blocks = [philox_4x64_10((i, 0, 0, domain), (seed, stream)) for i in (1, 2, 3)]
    raw = philox(seed, stream, domain=domain).random_raw(12)
    np.testing.assert_array_equal(raw, np.array(blocks, dtype=np.uint64).ravel())


def test_noise_is_numpys_standard_normal_on_that_stream():
    key = np.array([11, 5], dtype=np.uint64)
    oracle = np.random.Generator(np.random.Philox(key=key)).standard_normal((4, 3), np.float32)
    noise = normal(11, (4, 3), stream=5)
    assert noise.dtype == np.float32
    np.testing.assert_array_equal(noise, oracle)


def test_noise_is_normally_distributed():
    # A fixed seed: the p-value is a constant, not a flaky draw.
    assert stats.kstest(normal(1, 100_000), "norm").pvalue > 0.01


def test_streams_and_seeds_are_independent():
    first, second, third = normal(0, 100_000), normal(0, 100_000, stream=1), normal(1, 100_000)
    # Standard error of a correlation of n independent pairs is 1/sqrt(n) = 0.0032; four of them.
    assert abs(np.corrcoef([first, second, third]) - np.eye(3)).max() < 4 / np.sqrt(100_000)


def test_more_noise_begins_with_the_same_noise():
    np.testing.assert_array_equal(normal(3, (5, 7, 2))[:2], normal(3, (2, 7, 2)))


@pytest.mark.parametrize("bad", [-1, 2**64, 1.5, True, "0"])
def test_a_seed_or_stream_out_of_range_is_refused_by_name(bad):
    with pytest.raises(KgenError, match=r"seed takes .* Received: seed="):
        normal(bad, 3)
    with pytest.raises(KgenError, match=r"stream takes .* Received: stream="):
        normal(0, 3, stream=bad)
