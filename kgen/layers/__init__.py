"""Keras layers for generative models: one layer per file, the same on every backend."""

from kgen.layers.noise_schedule import PREDICTION_KINDS, NoiseSchedule
from kgen.layers.sampling import Sampling
from kgen.layers.time_embedding import TimeEmbedding

__all__ = ["PREDICTION_KINDS", "NoiseSchedule", "Sampling", "TimeEmbedding"]
