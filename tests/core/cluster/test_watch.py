"""Processes that are killed, stopped or leave, seen by the others."""

import os
import queue
import signal
import time

import pytest

# A closed connection is promised to be noticed within 1 s; two more for a busy machine.
NOTICED = 3.0


def gone(process, worker):
    host = os.uname().nodename
    return f"Process {process} ({host}, pid {worker.pid}) is gone: its connection closed."


@pytest.mark.parametrize("killed", [0, 1])
def test_the_survivors_of_a_killed_process_are_told_its_name_at_once(start, killed):
    workers = start(3)
    victim = workers[killed]
    os.kill(victim.pid, signal.SIGKILL)
    until = time.monotonic() + NOTICED
    for worker in workers:
        if worker is not victim:
            heard = worker.hears(max(0.01, until - time.monotonic()))
            assert heard == ["lost", gone(killed, victim)]
    # Once, and not again when the others end.
    survivors = [worker for worker in workers if worker is not victim]
    for worker in survivors:
        worker.told("close")
    assert [worker.hears() for worker in survivors] == [["closed", None]] * 2


def test_a_process_that_ends_without_a_goodbye_is_lost(start):
    workers = start(2)
    workers[1].process.stdin.close()  # its script ends, without `close`
    assert workers[0].hears() == ["lost", gone(1, workers[1])]


def test_a_process_that_stops_for_some_time_is_not_lost(start):
    workers = start(3)
    os.kill(workers[1].pid, signal.SIGSTOP)
    workers[2].told("hold 3")
    assert workers[2].hears() == ["held", None]
    os.kill(workers[1].pid, signal.SIGCONT)
    for worker in workers:
        worker.told("close")
    assert [worker.hears() for worker in workers] == [["closed", None]] * 3


def test_processes_that_were_all_stopped_for_long_go_on(start):
    # Ctrl-Z, and `fg` later: longer than the silence that would mean a loss.
    workers = start(2, LOST_SECONDS=1.0, INTERVAL=0.2)
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(queue.Empty):
        workers[0].hears(timeout=1.6)
    for worker in workers:
        os.kill(worker.pid, signal.SIGCONT)
    with pytest.raises(queue.Empty):
        workers[1].hears(timeout=1.3)
    for worker in workers:
        worker.told("close")
    assert [worker.hears() for worker in workers] == [["closed", None]] * 2


def test_a_process_that_says_nothing_for_too_long_is_lost_and_told_so(start):
    # Its connection stays open, as that of a machine that has vanished.
    workers = start(3, LOST_SECONDS=1.0, INTERVAL=0.2)
    os.kill(workers[2].pid, signal.SIGSTOP)
    what, message = workers[0].hears()
    assert what == "lost"
    assert message.startswith("Process 2 (")
    assert message.endswith(f"pid {workers[2].pid}) is gone: nothing was heard of it for 1 s.")
    assert workers[1].hears() == ["lost", message]
    os.kill(workers[2].pid, signal.SIGCONT)
    assert workers[2].hears() == ["lost", message]
