"""Models as ONNX files: conversion, fixed batch, smaller precisions, the sampler as a loop."""
