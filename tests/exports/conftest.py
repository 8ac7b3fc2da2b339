"""What the tests of exports share."""

from tests.exports.readme_programs import bundles
from tests.exports.real_exports import activations, exported, finished_runs

__all__ = ["activations", "bundles", "exported", "finished_runs"]
