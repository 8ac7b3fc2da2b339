"""Processes that find each other, or say why not. All within one process, over real sockets."""

import errno
import json
import os
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kgen.cluster import answer, gather, watch
from kgen.cluster.member import Member
from kgen.cluster.present import Present, first_difference
from kgen.cluster.roll_call import RollCall
from kgen.cluster.wire import MARK, MAX_BYTES, VERSION
from kgen.errors import KgenError

FACTS = {"kgen": "1.0", "config": {"model": {"widths": [8, 16], "rate": 0.1}, "seed": 3}}
HERE = socket.gethostname()
PATIENCE = 30.0  # of a test with what is promised to happen at once


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as executor:
        yield executor


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


@pytest.fixture
def party(pool, port):
    return Party(pool, port)


@pytest.fixture
def quick(monkeypatch):
    """Make what happens every few seconds happen many times a second."""
    monkeypatch.setattr(gather, "INTERVAL", 0.05)
    monkeypatch.setattr(answer, "RETRY_SECONDS", 0.05)


def error_of(future):
    error = future.exception(PATIENCE)
    assert isinstance(error, KgenError), error
    assert "\n" not in str(error)
    return str(error)


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


def test_all_learn_who_is_there_and_where_the_backends_meet(party):
    # The last first: they may start in any order.
    calls = [party.join(process, 3) for process in (2, 1, 0)]
    calls = [future.result(PATIENCE) for future in calls]
    everybody = [Present(process=p, hostname=HERE, pid=os.getpid()) for p in range(3)]
    assert [call.members for call in calls] == [everybody] * 3
    (service,) = {call.service for call in calls}
    host, port = service.split(":")
    assert host == "127.0.0.1"
    with socket.create_server((host, int(port))):  # free, so that the backend can have it
        pass
    party.close(*calls)
    party.close(*calls)  # once more does no harm
    assert party.lost == []


def own_addresses():
    """Return the addresses by which this machine calls itself; some containers have no IPv6."""
    found = ["127.0.0.1"]
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        found.append("::1")
    return found


def test_they_meet_at_every_address_and_by_name(party):
    addresses = [f"[{each}]" if ":" in each else each for each in own_addresses()]
    for host in (*addresses, "localhost"):
        at = f"{host}:{party.port}"
        calls = [party.join(process, 2, coordinator=at) for process in (0, 1)]
        calls = [future.result(PATIENCE) for future in calls]
        assert calls[1].service == calls[0].service
        assert calls[0].service.rpartition(":")[0] == host
        party.close(*calls)


def test_a_machines_own_name_is_listened_to_on_all_its_addresses():
    with gather._listen("node1", 0) as server:
        port = server.getsockname()[1]
        for address in own_addresses():
            socket.create_connection((address, port), timeout=PATIENCE).close()
    with gather._listen("127.0.0.1", 0) as server:
        assert server.getsockname()[0] == "127.0.0.1"


def refusing(monkeypatch, number, families):
    """Let the system refuse to listen, as IPv6 that is switched off and low ports do."""
    real = socket.create_server

    def create_server(address, *, family=socket.AF_INET, **options):
        if family in families:
            raise OSError(number, os.strerror(number))
        return real(address, family=family, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", create_server)


def test_where_ipv6_is_switched_off_ipv4_is_listened_to(monkeypatch):
    refusing(monkeypatch, errno.EADDRNOTAVAIL, {socket.AF_INET6})
    with gather._listen("node1", 0) as server:
        assert server.getsockname()[0] == "0.0.0.0"


def test_a_port_that_is_not_allowed_is_named(monkeypatch):
    refusing(monkeypatch, errno.EACCES, {socket.AF_INET, socket.AF_INET6})
    for host in ("127.0.0.1", "node1"):
        with pytest.raises(KgenError, match=r"Cannot listen at port 80 \(Permission denied\)"):
            gather._listen(host, 80)


def test_process_0_stays_until_the_others_have_left(party):
    first, second = party.join(0, 2), party.join(1, 2)
    first, second = first.result(PATIENCE), second.result(PATIENCE)
    closing = party.pool.submit(first.close)
    with pytest.raises(TimeoutError):
        closing.result(0.3)
    second.close()
    closing.result(PATIENCE)
    assert party.lost == []


def test_process_0_waits_no_longer_than_asked_and_is_not_missed(party):
    first, second = party.join(0, 2), party.join(1, 2)
    first, second = first.result(PATIENCE), second.result(PATIENCE)
    first.close(wait=0.1)
    assert second._watch.over.wait(PATIENCE)
    second.close()
    assert party.lost == []


def test_a_failure_is_told_to_all_others_with_its_reason(party):
    calls = [party.join(process, 3) for process in range(3)]
    calls = [future.result(PATIENCE) for future in calls]
    calls[1].fail("The disk is full.")
    for call in (calls[0], calls[2]):
        assert call._watch.over.wait(PATIENCE)
    party.close(*calls)
    failed = f"Process 1 ({HERE}, pid {os.getpid()}) failed: The disk is full."
    assert sorted(party.lost) == [(0, failed), (2, failed)]


def test_what_is_told_of_a_loss_may_close(party):
    told = threading.Event()
    first, second = party.join(0, 2), party.join(1, 2)
    first, second = first.result(PATIENCE), second.result(PATIENCE)
    first._watch._on_lost = lambda message: (first.close(), told.set())
    second._watch._lines[0].socket.shutdown(socket.SHUT_RDWR)
    assert told.wait(PATIENCE)
    second.close()


def test_process_0_says_for_whom_it_waits(party, quick):
    told, seen = [], threading.Event()

    def on_waiting(missing):
        told.append(missing)
        if missing == [2]:
            seen.set()

    calls = [party.join(0, 3, on_waiting=on_waiting), party.join(1, 3)]
    assert seen.wait(PATIENCE)
    calls.append(party.join(2, 3))
    calls = [future.result(PATIENCE) for future in calls]
    assert [missing for missing in told if missing not in ([1, 2], [2])] == []
    party.close(*calls)


def test_whoever_does_not_come_is_named_to_all(party, quick):
    calls = [party.join(0, 4, timeout=1.0), party.join(2, 4)]
    first, second = map(error_of, calls)
    assert first == second
    assert "4 processes within 1 s, but of processes 1, 3 nothing was heard; do they run" in first
    assert f"port {party.port}" in first


def test_a_process_that_leaves_before_all_are_there_may_come_again(party, quick):
    missing = []
    first = party.join(0, 3, on_waiting=missing.append)

    def until(expected):
        end = time.monotonic() + PATIENCE
        while missing[-1:] != [expected]:
            assert time.monotonic() < end
            time.sleep(0.01)

    until([1, 2])
    with socket.create_connection(("127.0.0.1", party.port)) as connection:
        connection.sendall(hello(process=1, num_processes=3))
        until([2])
    until([1, 2])
    calls = [future.result(PATIENCE) for future in (party.join(1, 3), party.join(2, 3))]
    party.close(first.result(PATIENCE), *calls)


def test_a_taken_port_is_named(party):
    with socket.create_server(("127.0.0.1", party.port)):
        message = error_of(party.join(0, 2))
    assert f"Port {party.port} of this machine is taken" in message
    assert "--coordinator HOST:PORT" in message


def test_an_interrupted_process_0_does_not_leave_the_others_waiting(party, quick):
    def interrupt(missing):
        if missing == [2]:
            raise KeyboardInterrupt

    first, second = party.join(0, 3, on_waiting=interrupt), party.join(1, 3)
    assert isinstance(first.exception(PATIENCE), KeyboardInterrupt)
    assert "was stopped before all processes were there" in error_of(second)


def test_process_0_that_nobody_finds_is_named(party, quick):
    message = error_of(party.join(1, 2, timeout=0.5))
    assert f"No answer from 127.0.0.1:{party.port} within 0.5 s" in message
    assert "is process 0 running there" in message


def test_a_process_that_meets_itself_goes_on_looking(party, quick, monkeypatch):
    # Linux may take the port that is called as the one that is called from: "simultaneous open".
    real, met = socket.create_connection, []

    def create_connection(address, timeout):
        if met:
            return real(address, timeout=timeout)
        met.append(socket.socket())
        met[0].bind(address)
        met[0].connect(address)
        return met[0]

    monkeypatch.setattr(socket, "create_connection", create_connection)
    message = error_of(party.join(1, 2, timeout=0.5))
    assert met[0].fileno() == -1  # closed: process 0 needs the port
    assert f"No answer from 127.0.0.1:{party.port}" in message


def test_a_name_that_is_not_known_is_named_after_the_timeout(party, quick):
    message = error_of(party.join(1, 2, timeout=0.3, coordinator=f"node.invalid:{party.port}"))
    assert "The name node.invalid is not known on this machine, tried for 0.3 s" in message


def test_a_name_may_become_known_later(party, quick, monkeypatch):
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host, *rest, **options):
        asked.append(host)
        if host == "train-0.train":
            if len(asked) < 4:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    at = f"train-0.train:{party.port}"
    calls = [party.join(0, 2, coordinator=at), party.join(1, 2, coordinator=at)]
    calls = [future.result(PATIENCE) for future in calls]
    assert calls[1].service.startswith("train-0.train:")
    party.close(*calls)


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


def hello(mark=MARK, version=VERSION, **content):
    who = {"process": 1, "num_processes": 2, "hostname": "h", "pid": 1, "facts": FACTS}
    return json.dumps({mark: version, "say": "hello"} | who | content).encode() + b"\n"


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


@pytest.fixture
def patient(monkeypatch):
    """Let process 0 stay for those who come later longer than a test would wait."""
    monkeypatch.setattr(gather, "LATE_SECONDS", 2 * PATIENCE)


def test_differing_facts_end_all_with_the_key_and_both_values(party, patient):
    other = {**FACTS, "config": {**FACTS["config"], "model": {"widths": [8, 32], "rate": 0.1}}}
    first = party.join(0, 4, timeout=2 * PATIENCE)
    message = error_of(party.join(2, 4, other))
    # Those who come when the difference is known already.
    calls = [first, party.join(1, 4), party.join(3, 4)]
    assert {error_of(call) for call in calls} == {message}
    mine, theirs = (f"Process {p} ({HERE}, pid {os.getpid()})" for p in (0, 2))
    assert f"config.model.widths is [8, 16] in {mine} and [8, 32] in {theirs}" in message


def test_process_0_does_not_stay_for_ever_for_those_who_come_later(party, monkeypatch):
    monkeypatch.setattr(gather, "LATE_SECONDS", 0.2)
    calls = [party.join(0, 3), party.join(1, 3, {})]
    assert error_of(calls[0]) == error_of(calls[1])


def test_two_processes_with_one_number_end_all(party, patient):
    calls = [party.join(process, 3, timeout=2 * PATIENCE) for process in (0, 1, 1)]
    (message,) = {error_of(call) for call in calls}
    assert "Expected another --process-id for each process" in message
    assert message.count("Process 1 (") == 2


def test_different_numbers_of_processes_end_all(party):
    calls = [party.join(0, 2), party.join(1, 3)]
    (message,) = {error_of(call) for call in calls}
    assert "Expected the same --num-processes everywhere" in message
    assert f"Process 0 ({HERE}, pid {os.getpid()}) has 2" in message
    assert f"Process 1 ({HERE}, pid {os.getpid()}) has 3" in message


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({}, {}, None),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2}]}}, None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 2}, ("a", "1", "2")),
        ({"a": 1}, {}, ("a", "1", "nothing")),
        ({}, {"a": None}, ("a", "nothing", "null")),
        ({"a": {"b": {"c": "x"}}}, {"a": {"b": {"c": "y"}}}, ("a.b.c", '"x"', '"y"')),
        ({"a": {"b": 1}}, {"a": 1}, ("a", '{"b": 1}', "1")),
        ({"a": True}, {"a": 1}, ("a", "true", "1")),
    ],
)
def test_the_first_difference_is_named_by_its_path(ours, theirs, expected):
    assert first_difference(ours, theirs) == expected


def test_a_process_that_talks_nonsense_later_is_lost(party):
    calls = [party.join(process, 2) for process in (0, 1)]
    first, second = (future.result(PATIENCE) for future in calls)
    second._watch._lines[0].socket.sendall(b"nonsense\n")
    assert first._watch.over.wait(PATIENCE)
    party.close(first, second)
    assert party.lost[0][1].startswith(f"Process 1 ({HERE}")
    assert "nonsense" in party.lost[0][1]


def test_heartbeats_are_not_so_rare_that_a_few_lost_ones_mean_a_loss():
    assert watch.LOST_SECONDS >= 10 * watch.INTERVAL
