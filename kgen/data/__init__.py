"""Pictures for training: sources, order and batches, without Keras.

Pictures stay uint8 in [0, 255], (N, height, width, channels), until the training step.
"""

from kgen.data.batch import Batches, epoch_order
from kgen.data.dataset import DataSet, split_validation
from kgen.data.folder import FolderImages
from kgen.data.images import ArrayImages, ImageSource, SubsetImages
from kgen.data.named import SOURCES
from kgen.data.source import has_test, load

__all__ = [
    "SOURCES",
    "ArrayImages",
    "Batches",
    "DataSet",
    "FolderImages",
    "ImageSource",
    "SubsetImages",
    "epoch_order",
    "has_test",
    "load",
    "split_validation",
]
