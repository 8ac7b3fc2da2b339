"""Noise for kgen's models, as docs/noise.md of kgen specifies it. Run in kgen's tests."""

import numpy as np


def words(seed, blocks, stream=0):
    """Give the random words uint32 (n, 4) of these blocks: Philox4x32-10."""
    low, blocks = 0xFFFFFFFF, np.asarray(blocks, dtype=np.uint64)
    k0, k1, c0, c1 = seed & low, seed >> 32, blocks & low, blocks >> 32
    c2, c3 = (np.full_like(blocks, word) for word in (stream & low, stream >> 32))
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & low, (p0 >> 32) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def normal(seed, shape, stream=0, start=0):
    """Draw standard normals of this shape, float32, from element `start` of the stream on."""
    end = start + int(np.prod(shape))
    u = (words(seed, np.arange(start // 4, -(-end // 4)), stream) + 0.5) * 2.0**-32
    radius, angle = np.sqrt(-2.0 * np.log(u[:, ::2])), 2.0 * np.pi * u[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pairs.astype(np.float32).reshape(-1)[start % 4 :][: end - start].reshape(shape)
