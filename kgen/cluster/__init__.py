"""The processes that train one model together: who they are, and whether all are still there.

`find` settles who this process is, `RollCall` gets all of them together. Standard library only:
this is done before a backend is imported.
"""

from kgen.cluster.member import Member, find, share
from kgen.cluster.roll_call import RollCall

__all__ = ["Member", "RollCall", "find", "share"]
