"""Train GANs, VAEs and diffusion models in Keras 3 on JAX, TensorFlow or PyTorch.

Importing this package does not import Keras: the backend is fixed at ``import keras``, so call
:func:`kgen.backend.select` first if you want one other than the environment's.
"""

__version__ = "0.1.0"
