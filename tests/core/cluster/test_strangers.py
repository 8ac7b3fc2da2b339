"""What is no process of this training at the port, or says nothing: ignored, or named."""

import json
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kgen.cluster import answer, gather
from kgen.cluster.wire import MARK, MAX_BYTES, VERSION
from kgen.errors import KgenError
from tests.core.cluster.party import HERE, PATIENCE, error_of, hello


@contextmanager
def listening(port, behaviour):
    """Let something else listen at a port: `behaviour` is called with each connection."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def serve():
            kept = []
            while not over.is_set():
                try:
                    kept.append(server.accept()[0])
                except TimeoutError:
                    continue
                behaviour(kept[-1])
            for connection in kept:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        over.set()
        thread.join()


def test_an_http_server_is_no_process_0(party):
    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        at = f"127.0.0.1:{server.server_port}"
        message = error_of(party.join(1, 2, coordinator=at))
        server.shutdown()
        thread.join()
    assert f"What answers at {at} is not process 0 of this kgen" in message


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"\xff\x00\n", "is not process 0"),
        (b"[" * 100_000 + b"\n", "is not process 0"),
        (b"null\n", "received 'null'"),
        (b'{"say": "welcome"}\n', "is not process 0"),
        (b'{"%b": 999, "say": "welcome"}\n' % MARK.encode(), f"version 999 of .* not {VERSION}"),
        (
            b'{"%b": %d, "say": "welcome", "members": [3]}\n' % (MARK.encode(), VERSION),
            "received '3'",
        ),
        (b"x" * (MAX_BYTES + 2**17), "xxx"),
    ],
)
def test_what_is_no_process_0_is_quoted_at_once(party, answered, words):
    def behaviour(connection):
        with suppress(ConnectionError):  # too long: the other side has hung up meanwhile
            connection.sendall(answered)

    with listening(party.port, behaviour), pytest.raises(KgenError, match=words):
        party.join(1, 2).result(PATIENCE)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (lambda connection: None, "it is silent"),
        (
            lambda connection: connection.shutdown(socket.SHUT_RDWR),
            "it closed|connection closed|reset",
        ),
    ],
)
def test_what_says_nothing_is_given_up_after_the_timeout(party, quick, behaviour, words):
    with listening(party.port, behaviour), pytest.raises(KgenError, match=words) as caught:
        party.join(1, 2, timeout=0.5).result(PATIENCE)
    assert "within 0.5 s" in str(caught.value)


def test_process_0_that_falls_silent_before_all_are_there_is_missed(party, monkeypatch):
    monkeypatch.setattr(answer, "LOST_SECONDS", 0.3)
    waiting = json.dumps({MARK: VERSION, "say": "waiting"}).encode() + b"\n"
    with listening(party.port, lambda connection: connection.sendall(waiting)):
        message = error_of(party.join(1, 2))
    assert "is gone: it is silent before all were there" in message


STRANGERS = [
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n",
    b"[" * 200_000 + b"\n",
    b"9" * 10_000 + b"\n",
    b"x" * (MAX_BYTES + 2**17),
    b'{"half": ',
    hello(mark="another"),
    hello(version=VERSION + 1),
    hello(process="1"),
    hello(process=7),
    hello(process=-1),
    hello(facts=[]),
    hello(num_processes="2"),
    hello(hostname=None),
    hello(say="lost"),
]


def test_strangers_on_the_port_are_ignored(party, quick):
    begun = threading.Event()
    first = party.join(0, 2, on_waiting=lambda missing: begun.set())
    assert begun.wait(PATIENCE)
    connections = []
    for said in STRANGERS:
        connection = socket.create_connection(("127.0.0.1", party.port), timeout=PATIENCE)
        connections.append(connection)
        with suppress(ConnectionError):  # too long: process 0 has hung up meanwhile
            connection.sendall(said)
    connections.pop(3).close()  # some go, some stay
    assert not first.done()
    calls = [party.join(1, 2).result(PATIENCE), first.result(PATIENCE)]
    party.close(*calls)
    for connection in connections:
        connection.close()
    assert party.lost == []


def test_a_stranger_that_says_nothing_is_hung_up_on(party, quick, monkeypatch):
    monkeypatch.setattr(gather, "HELLO_SECONDS", 0.1)
    begun = threading.Event()
    first = party.join(0, 2, on_waiting=lambda missing: begun.set())
    assert begun.wait(PATIENCE)
    with socket.create_connection(("127.0.0.1", party.port), timeout=PATIENCE) as connection:
        while connection.recv(1000):
            pass
    assert not first.done()
    party.close(party.join(1, 2).result(PATIENCE), first.result(PATIENCE))


def test_a_process_that_talks_nonsense_later_is_lost(party):
    calls = [party.join(process, 2) for process in (0, 1)]
    first, second = (future.result(PATIENCE) for future in calls)
    second._watch._lines[0].socket.sendall(b"nonsense\n")
    assert first._watch.over.wait(PATIENCE)
    party.close(first, second)
    assert party.lost[0][1].startswith(f"Process 1 ({HERE}")
    assert "nonsense" in party.lost[0][1]
