"""Models as TFLite files: conversion and smaller precisions, order of inputs, metadata."""
