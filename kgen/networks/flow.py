"""A normalising flow over latent vectors: coupling layers in a row."""

import keras

from kgen.layers.coupling import Coupling


def flow(latent_dim: int, depth: int, width: int) -> keras.Model:
    """Build a flow: see `build_flow`.

    Layers 2k and 2k + 1 move, in turn, the latents whose number has the k-th bit unset and those
    that have it set, then from the lowest bit again. Any two numbers differ in a bit, so there is
    a layer for any two latents in which one moves the other, and nothing is permuted in between.
    """
    bits = max(1, (latent_dim - 1).bit_length())
    u = z = keras.Input((latent_dim,), dtype="float32", name="u")
    for i in range(depth):
        bit, turn = (i // 2) % bits, i % 2
        kept = [(latent >> bit) % 2 != turn for latent in range(latent_dim)]
        z = Coupling(kept, width, dtype="float32", name=f"coupling{i}")(z)
    return keras.Model({"u": u}, z, name="flow")
