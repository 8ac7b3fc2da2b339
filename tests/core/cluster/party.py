"""Processes of a training as threads of this one, that meet over real sockets."""

import json
import socket
from concurrent.futures import Future

from kgen.cluster.member import Member
from kgen.cluster.roll_call import RollCall
from kgen.cluster.wire import MARK, VERSION
from kgen.errors import KgenError

FACTS = {"kgen": "1.0", "config": {"model": {"widths": [8, 16], "rate": 0.1}, "seed": 3}}
HERE = socket.gethostname()
PATIENCE = 30.0  # of a test with what is promised to happen at once


class Party:
    """Joins processes in threads, and remembers who was lost to them."""

    def __init__(self, pool, port):
        self.pool, self.port, self.lost = pool, port, []

    def join(self, process, num_processes, facts=FACTS, *, timeout=PATIENCE, **options) -> Future:
        member = Member(
            coordinator=options.pop("coordinator", f"127.0.0.1:{self.port}"),
            num_processes=num_processes,
            process=process,
        )
        return self.pool.submit(
            RollCall.join,
            member,
            facts=facts,
            timeout=timeout,
            on_lost=lambda message: self.lost.append((process, message)),
            **options,
        )

    def close(self, *calls):
        """Let all leave, process 0 as well, which waits for the others."""
        for future in [self.pool.submit(call.close) for call in calls]:
            future.result(PATIENCE)


def error_of(future):
    error = future.exception(PATIENCE)
    assert isinstance(error, KgenError), error
    assert "\n" not in str(error), error
    return str(error)


def hello(mark=MARK, version=VERSION, **content):
    who = {"process": 1, "num_processes": 2, "hostname": "h", "pid": 1, "facts": FACTS}
    return json.dumps({mark: version, "say": "hello"} | who | content).encode() + b"\n"
