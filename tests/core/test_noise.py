"""Host noise against the published generators, a second implementation, a normal distribution."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kgen.errors import KgenError
from kgen.noise import _box_muller, normal, philox, words

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "noise.md").read_text(encoding="utf-8")

# Two libraries, or two machines, may round a normal, at most 6.77, to neighbouring float32 numbers,
# which lie up to 2**-21 = 4.8e-7 apart; twice that.
ATOL = 1e-6

# Salmon et al. 2011, Random123's known-answer file kat_vectors: philox4x32 and philox4x64 with 10
# rounds, the counter and key at the start of each row, the four numbers drawn at its end.
PUBLISHED_32 = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]  # fmt: skip
PI = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
PI_KEY = (0x452821E638D01377, 0xBE5466CF34E90C6C)
PUBLISHED_64 = [
    ((0, 0, 0, 0), (0, 0),
     (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    ((2**64 - 1,) * 4, (2**64 - 1,) * 2,
     (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    (PI, PI_KEY,
     (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6)),
]  # fmt: skip

SEEDS_AND_STREAMS = [(0, 0), (7, 3), (2**40 + 5, 2**33 + 1), (2**64 - 1, 2**64 - 1)]
u64 = st.integers(0, 2**64 - 1)


def philox_4x64_10(counter: tuple[int, ...], key: tuple[int, ...]) -> list[int]:
    """Compute a block of Philox4x64-10 with Python's integers, from the paper's section 3.3."""
    mask = 2**64 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        low, high = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(high >> 64) ^ c[1] ^ k[0], high & mask, (low >> 64) ^ c[3] ^ k[1], low & mask]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c


def joined(low: int, high: int) -> int:
    return low + 2**32 * high


def gaussian(two: np.ndarray) -> list[float]:
    """Compute the two normals of two words with Python's own mathematics."""
    radius = math.sqrt(-2 * math.log((int(two[0]) + 0.5) / 2**32))
    angle = 2 * math.pi * (int(two[1]) + 0.5) / 2**32
    return [radius * math.cos(angle), radius * math.sin(angle)]


@pytest.mark.parametrize(("counter", "key", "numbers"), PUBLISHED_32)
def test_words_are_the_published_numbers_of_philox_4x32_10(counter, key, numbers):
    drawn = words(joined(*key), [joined(*counter[:2])], stream=joined(*counter[2:]))
    assert drawn.dtype == np.uint32
    assert drawn.tolist() == [list(numbers)]


@pytest.mark.parametrize("first", [0, 2**32 - 2, 2**64 - 5])
@pytest.mark.parametrize(("seed", "stream"), SEEDS_AND_STREAMS)
def test_words_are_those_of_tensorflows_philox(seed, stream, first):
    import tensorflow as tf

    # Five blocks; from 2**32 - 2 on, the counter's low word carries into the next.
    drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=(20,), key=tf.constant([seed], tf.uint64),
        counter=tf.constant([first, stream], tf.uint64),
        alg=1, dtype=tf.uint32,  # 1 is Philox
    )  # fmt: skip
    blocks = [first + i for i in range(5)]
    np.testing.assert_array_equal(words(seed, blocks, stream=stream).ravel(), drawn.numpy())


@pytest.mark.parametrize(("seed", "stream"), SEEDS_AND_STREAMS)
@pytest.mark.parametrize("start", [0, 2**34 - 400, 2**64 - 1])
def test_noise_is_box_muller_on_these_words(seed, stream, start):
    size = 1000
    first = start // 4
    u = words(seed, np.arange(first, first + size // 4 + 1, dtype=np.uint64), stream=stream)
    oracle = [x for pair in u.reshape(-1, 2) for x in gaussian(pair)]
    noise = normal(seed, size, stream=stream, start=start)
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise, oracle[start % 4 :][:size], rtol=0, atol=ATOL)


def test_the_least_and_the_largest_words_give_finite_noise():
    ends = np.array([0, 2**32 - 1], dtype=np.uint64)
    four = np.meshgrid(ends, ends, ends, ends)
    noise = _box_muller(*(word.ravel() for word in four)).astype(np.float64)
    radii = np.hypot(noise[::2], noise[1::2])
    # u = 2**-33 and 1 - 2**-33; their logarithms are -33 ln 2 and, to 1e-10, -2**-33. float32
    # numbers are within 6e-8 of what they round, relatively.
    largest, least = math.sqrt(66 * math.log(2)), 2.0**-16
    assert largest < 6.77
    np.testing.assert_allclose(radii.min(), least, rtol=1e-7)
    np.testing.assert_allclose(radii.max(), largest, rtol=1e-7)


def test_noise_is_normally_distributed():
    # Fixed seeds: what is compared is a constant, not a flaky draw.
    n = 2_000_000
    x = normal(1, n).astype(np.float64)
    # Standard errors of the moments of n independent normals; four of them.
    assert abs(x.mean()) < 4 * math.sqrt(1 / n)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs(stats.skew(x)) < 4 * math.sqrt(6 / n)
    assert abs(stats.kurtosis(x)) < 4 * math.sqrt(24 / n)
    # Four standard errors are exceeded with probability 6.3e-5.
    assert stats.kstest(x, "norm").pvalue > 6.3e-5
    for tail in (3, 4, 5):
        expected = n * 2 * stats.norm.sf(tail)
        assert abs((np.abs(x) > tail).sum() - expected) < 4 * math.sqrt(expected)


def test_streams_and_seeds_are_independent():
    # Neighbours, and such as differ in their high words only.
    drawn = [
        normal(seed, 100_000, stream=stream)
        for seed in (0, 1, 2, 2**32, 2**63)
        for stream in (0, 1, 2, 2**32, 2**63)
    ]
    # Standard error of a correlation of n independent pairs is 1/sqrt(n); of 300 of them one is
    # beyond four by chance in 50 draws, and this is one draw.
    assert abs(np.corrcoef(drawn) - np.eye(25)).max() < 4 / math.sqrt(100_000)


def test_neighbours_in_a_sequence_are_independent():
    x = normal(2, 100_008).astype(np.float64)
    # Of numbers and of sizes (the two of a pair share a radius), at distances within two blocks.
    lagged = np.stack([x[lag : lag + 100_000] for lag in range(8)])
    for values in (lagged, lagged**2):
        # 1/sqrt(n), as above.
        assert abs(np.corrcoef(values) - np.eye(8)).max() < 4 / math.sqrt(100_000)


def test_more_noise_begins_with_the_same_noise():
    np.testing.assert_array_equal(normal(3, (5, 7, 2))[:2], normal(3, (2, 7, 2)))


# 16384 numbers are computed at once: lengths on both sides of that.
@given(seed=u64, stream=u64, before=st.integers(0, 40_000), size=st.integers(0, 40_000))
def test_noise_from_a_start_is_that_part_of_the_whole(seed, stream, before, size):
    whole = normal(seed, before + size, stream=stream)
    part = normal(seed, size, stream=stream, start=before)
    np.testing.assert_array_equal(part, whole[before:])


def test_numpys_integers_are_integers():
    seed, stream, start = np.uint64(2**64 - 1), np.int32(3), np.int64(2**63 - 1)
    found = normal(seed, 8, stream=stream, start=start)
    np.testing.assert_array_equal(found, normal(2**64 - 1, 8, stream=3, start=2**63 - 1))


def test_a_shape_is_filled_in_c_order():
    assert normal(4, ()).shape == ()
    assert normal(4, (3, 0)).shape == (3, 0)
    np.testing.assert_array_equal(normal(4, (2, 3, 5)).ravel(), normal(4, 30))


@pytest.mark.parametrize("bad", [-1, 2**64, 1.5, True, "0"])
def test_what_is_out_of_range_is_refused_by_name(bad):
    with pytest.raises(KgenError, match=r"seed takes .* Received: seed="):
        normal(bad, 3)
    with pytest.raises(KgenError, match=r"stream takes .* Received: stream="):
        normal(0, 3, stream=bad)
    with pytest.raises(KgenError, match=r"start takes .* Received: start="):
        normal(0, 3, start=bad)
    with pytest.raises(KgenError, match=r"seed takes .* Received: seed="):
        words(bad, [0])
    with pytest.raises(KgenError, match=r"stream takes .* Received: stream="):
        philox(0, bad)


def test_importing_noise_imports_numpy_alone(subprocess_env):
    code = (
        "import sys, numpy.random; before = set(sys.modules); import kgen.noise; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=subprocess_env, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "['kgen', 'kgen.errors', 'kgen.noise']"


@pytest.mark.parametrize(("counter", "key", "numbers"), PUBLISHED_64)
def test_the_oracle_of_the_data_order_gives_the_published_numbers(counter, key, numbers):
    assert philox_4x64_10(counter, key) == list(numbers)


@pytest.mark.parametrize("domain", [0, 1, 2])
@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (7, 3), (2**64 - 1, 2**40)])
def test_the_raw_stream_is_philox_4x64_10_with_key_seed_and_stream(seed, stream, domain):
    # NumPy counts up before it draws: its first block is that of counter 1.
    blocks = [philox_4x64_10((i, 0, 0, domain), (seed, stream)) for i in (1, 2, 3)]
    raw = philox(seed, stream, domain=domain).random_raw(12)
    np.testing.assert_array_equal(raw, np.array(blocks, dtype=np.uint64).ravel())


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of docs/noise.md, without its first row."""
    section = PAGE.partition(f"### {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[1:]]


def number(text: str) -> int:
    """Read an integer such as 2^40 + 5."""
    return sum(int(a) ** int(b or 1) for a, b in re.findall(r"(\d+)(?:\^(\d+))?", text))


def test_the_page_shows_the_published_vectors():
    shown = [tuple(tuple(int(w, 16) for w in cell.split()) for cell in row)
             for row in rows("Philox4x32-10")]  # fmt: skip
    assert shown == PUBLISHED_32


def test_the_words_on_the_page_are_those_of_kgen():
    table = rows("Words")
    assert len(table) >= 4
    for seed, stream, block, shown in table:
        drawn = words(number(seed), [number(block)], stream=number(stream))
        assert [f"{word:08x}" for word in drawn[0]] == shown.split()


def test_the_normals_on_the_page_are_those_of_kgen():
    table = rows("Normals")
    assert {(number(row[0]), number(row[1])) for row in table} >= {(7, 0), (2**40 + 5, 3)}
    for seed, stream, start, shown in table:
        values = [float(x) for x in shown.split()]
        assert len(values) == 8
        drawn = normal(number(seed), 8, stream=number(stream), start=number(start))
        np.testing.assert_allclose(drawn, values, rtol=0, atol=ATOL)


def test_the_normals_on_the_page_tell_float32_from_float64():
    ((seed, stream, start, shown),) = [row for row in rows("Normals") if row[2] == "2507469"]
    first = number(start) // 4
    u = words(number(seed), [first, first + 1, first + 2], stream=number(stream)).reshape(-1, 2)
    u = (u.astype(np.float32) + np.float32(0.5)) * np.float32(2**-32)
    angle = np.float32(2 * np.pi) * u[:, 1]
    pairs = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    coarse = (np.sqrt(np.float32(-2) * np.log(u[:, :1])) * pairs).ravel()[number(start) % 4 :][:8]
    assert coarse.dtype == np.float32
    assert abs(coarse - [float(x) for x in shown.split()]).max() > 5 * ATOL
