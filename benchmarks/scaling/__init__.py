"""What benchmarks/scale.py is made of: a cost model, the step that it is applied to, a figure."""
