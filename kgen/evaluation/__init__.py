"""How good a generator is: numbers with their noise, their floor and their bar beside them.

Nothing here trains what it measures, nor looks at the pictures that chose a checkpoint.
"""

GROUPS = ("quality", "memorisation", "model", "steps")
"""The parts of an evaluation: numbers on features, copies, what the family itself can say, and
how quality depends on the number of sampling steps."""
EXTRACTORS = ("auto", "lenet64-v1", "inception")
"""What pictures can be compared by. ``auto`` is the pinned extractor for Fashion-MNIST in its own
size, and for other data one that is trained on them once and kept."""
