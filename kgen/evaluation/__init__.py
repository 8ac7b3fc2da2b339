"""How good a generator is: numbers with their noise, their floor and their bar beside them.

Nothing here trains what it measures, nor looks at the pictures that chose a checkpoint.
"""
