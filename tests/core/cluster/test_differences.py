"""Processes that differ in what all must have alike: every one of them is told in what."""

import os

import pytest

from kgen.cluster import gather
from kgen.cluster.present import first_difference
from tests.core.cluster.party import FACTS, HERE, PATIENCE, error_of


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
