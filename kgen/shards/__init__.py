"""Many pictures of one seed in files of equal size, drawn and written a batch at a time.

Each file, a shard, is whole or not there. So a command that was stopped goes on where it was, and
several processes, on one machine or on many, share the shards without a word between them.
"""

from kgen.shards.contents import CONTENTS, Contents
from kgen.shards.stream import begin, stream, written
from kgen.shards.writing import FORMATS

__all__ = ["CONTENTS", "FORMATS", "Contents", "begin", "stream", "written"]
