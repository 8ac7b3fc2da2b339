"""Models as ONNX files: conversion, fixed batch, smaller precisions, the sampler as a loop."""

BATCH = "batch"
"""Name of the first size of inputs and outputs in files that take any number of pictures."""
