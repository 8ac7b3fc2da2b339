"""What the tests of exports share."""

from tests.exports.real_exports import activations, exported, finished_runs

__all__ = ["activations", "exported", "finished_runs"]
