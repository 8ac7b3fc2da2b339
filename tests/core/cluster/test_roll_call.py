"""Processes that find each other, or say why not. All within one process, over real sockets."""

import errno
import os
import socket
import threading
import time
from contextlib import suppress

import pytest

from kgen.cluster import gather, watch
from kgen.cluster.present import Present
from kgen.errors import KgenError
from tests.core.cluster.party import HERE, PATIENCE, error_of, hello


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


def test_heartbeats_are_not_so_rare_that_a_few_lost_ones_mean_a_loss():
    assert watch.LOST_SECONDS >= 10 * watch.INTERVAL
