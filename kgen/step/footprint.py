"""What a training takes on a backend besides what can be counted."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """How a backend's peak memory follows from a model; fitted by ``benchmarks/memory.py --fit``.

    Attributes:
        program: bytes of main memory that any first step takes: threads, buffers, the compiler's
            own. Not the libraries' files, which are mapped.
        layer: bytes of main memory for every layer: its share of a graph or a compiled program.
        half: the part of `layer` that a second half of a batch adds: the graph has both.
        matrix: bytes of main memory for every matrix that Muon moves.
        activations: the peak of a step in units of all layers' outputs. 1 are the outputs
            themselves, which the backward pass needs; the rest are gradients on their way back,
            copies in another order of memory for a convolution, and memory not yet given back.
    """

    program: int
    layer: int
    half: float
    matrix: int
    activations: float
