"""Ports, and processes that answer a roll call: in Pythons of their own, or in threads."""

import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kgen.cluster import answer, gather
from tests.core.cluster.party import Party

WORKER = """
import ctypes, json, sys, threading
from kgen.cluster import watch
from kgen.cluster.member import Member
from kgen.cluster.roll_call import RollCall
from kgen.errors import KgenError

def say(what, content=None):
    print(json.dumps([what, content]), flush=True)

order = json.loads(sys.argv[1])
for name, value in order["watch"].items():
    setattr(watch, name, value)
try:
    member = Member(**order["member"])
    roll_call = RollCall.join(member, facts={}, timeout=60, on_lost=lambda m: say("lost", m))
except KgenError as error:
    say("error", str(error))
    sys.exit(1)
say("joined", [roll_call.service, [[m.process, m.pid] for m in roll_call.members]])
for command in sys.stdin:
    if command.startswith("hold"):  # sleep without giving the interpreter's lock up
        ctypes.PyDLL(None).usleep(int(float(command.split()[1]) * 1e6))
        say("held")
    if command.startswith("close"):
        roll_call.close()
        say("closed")
"""


class Worker:
    """A process of a training, in a Python of its own."""

    def __init__(self, member: dict, watch: dict, env: dict[str, str]):
        order = json.dumps({"member": member, "watch": watch})
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.pid = self.process.pid
        self.said: queue.SimpleQueue = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def hears(self, timeout: float = 60.0) -> list:
        """Return the next thing that the process says."""
        return self.said.get(timeout=timeout)

    def told(self, command: str) -> None:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        self._reader.join(timeout=60)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def party(pool, port):
    return Party(pool, port)


@pytest.fixture
def quick(monkeypatch):
    """Make what happens every few seconds happen many times a second."""
    monkeypatch.setattr(gather, "INTERVAL", 0.05)
    monkeypatch.setattr(answer, "RETRY_SECONDS", 0.05)


@pytest.fixture
def start(port, subprocess_env) -> Iterator[Callable[..., list[Worker]]]:
    """Return what starts all processes of a training, and ends them after the test."""
    workers: list[Worker] = []

    def started(num_processes: int, **watch: float) -> list[Worker]:
        common = {"coordinator": f"127.0.0.1:{port}", "num_processes": num_processes}
        for process in range(num_processes):
            workers.append(Worker(common | {"process": process}, watch, subprocess_env))
        for worker in workers:
            what, content = worker.hears()
            assert what == "joined", content
        return workers

    yield started
    for worker in workers:
        worker.end()
