"""Faults of services, of the network and of workers at a time, in a model: every event by hand; and the words of the page."""

import re
from pathlib import Path

import pytest
from test_fleet_rules import story

from soak.runner.api import simulate_scenario
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.load import load
from soak.schemas.systems.queue.faults import ENDS_A_SERVICE, OF_SERVICES, QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.doubts import doubts

ROOT = Path(__file__).parents[3]
EVERY = ROOT / "tests" / "scenarios" / "valid" / "faults-of-services.yaml"
PAGE = ROOT / "docs" / "target-files.md"
OF_WORKERS = {QueueFault.WORKER_KILL, QueueFault.WORKER_TERM, QueueFault.WORKER_HANG}


def test_every_one_is_seen_in_a_model_and_no_task_is_lost() -> None:
    verdict, _ = simulate_scenario(load(EVERY))
    assert {fault.status for fault in verdict.faults} == {Status.PASS}
    assert {fault.name: fault.injected for fault in verdict.faults if fault.injected > 1} == {
        "everybody": 5,
        "one-by-one": 3,
        "told-to-end": 2,
        "hanging": 2,
        "three-kills": 3,
    }
    assert all(law.status is Status.PASS for law in verdict.laws)


def test_a_number_of_times_is_all_there_are() -> None:
    faults = {each.name: each for each in load(EVERY).scenario.faults}
    assert [window.start_s for window in faults["three-kills"].windows] == pytest.approx([900.0, 902.4, 904.8])
    assert [window.end_s - window.start_s for window in faults["three-kills"].windows] == pytest.approx([1.2] * 3)
    assert faults["everybody"].strikes == (5,)


def test_what_a_fault_strikes_is_known_by_its_name() -> None:
    scenario = load(EVERY).scenario
    at = queue_of(scenario).at_services
    assert {each.name: each.dependency for each in scenario.faults if each.type in OF_SERVICES} == {
        "three-kills": "broker",
        "restarted": "broker",
        "frozen": "broker",
        "failover": "database",
        "disconnected": "broker",
        "cut": "broker",
        "late": "broker",
        "full": "broker",
        "ahead": "",
    }
    assert (at["late"].by_s, at["ahead"].by_s, at["cut"].drops, at["late"].drops) == (0.2, 3600.0, True, False)


@pytest.mark.parametrize("type_", sorted(ENDS_A_SERVICE))
def test_while_a_service_is_away_no_state_changes(tmp_path: Path, type_: str) -> None:
    faults = f"{{name: away, type: {type_}, service: broker, at: 3s, for: 6s}}"
    assert story(tmp_path, faults=faults, queue="workers: 1") == [
        "0 task.dispatched w0",
        "3 fault.injected",
        "3 process.exited",
        "5 execution.ended w0",
        "5 fault.seen",
        "9 fault.cleared",
        "9 process.started",
        "9 task.done w0",
        "10 task.dispatched w0",
        "15 execution.ended w0",
        "15 task.done w0",
    ]


def test_a_slow_network_delays_a_task_and_its_result(tmp_path: Path) -> None:
    faults = "{name: late, type: network_delay, proxy: broker, at: 9s, for: 6s, by: 1s}"
    assert story(tmp_path, faults=faults, queue="workers: 1")[3:] == [
        "9 fault.injected",
        "10 fault.seen",
        "10 task.dispatched w0",
        "15 fault.cleared",
        "17 execution.ended w0",
        "17 task.done w0",
    ]


def test_workers_that_hang_for_less_than_their_lease_end_later(tmp_path: Path) -> None:
    faults = "{name: hang, type: worker_hang, at: 11s, for: 2s, workers: 2}"
    assert story(tmp_path, faults=faults)[3:] == [
        "10 task.dispatched w0",
        "11 fault.injected w0",
        "11 fault.injected w1",
        "13 fault.seen",
        "13 fault.seen",
        "13 fault.cleared",
        "17 fault.seen",
        "17 execution.ended w0",
        "17 task.done w0",
    ]


def test_one_that_hangs_for_longer_loses_its_lease_and_another_goes_on(tmp_path: Path) -> None:
    faults = "{name: hang, type: worker_hang, at: 11s, for: 6s}"
    told = story(tmp_path, faults=faults)[3:]
    assert told == [
        "10 task.dispatched w0",
        "11 fault.injected w0",
        "14 lease.expired w0",
        "14 task.retry w0",
        "14 task.dispatched w1",
        "17 fault.seen",
        "17 fault.cleared",
        "19 execution.ended w1",
        "19 task.done w1",
    ]


def test_an_idle_worker_that_hangs_gets_nothing_until_it_goes_on_or_dies(tmp_path: Path) -> None:
    hang = "{name: hang, type: worker_hang, at: 6s, for: 6s}"
    assert story(tmp_path, faults=hang, queue="workers: 1")[3:7] == [
        "6 fault.injected w0",
        "12 fault.seen",
        "12 fault.cleared",
        "12 task.dispatched w0",
    ]
    kill = "{name: kill, type: worker_kill, at: 8s, restart_after: 1s}"
    assert story(tmp_path, faults=f"{hang}, {kill}", queue="workers: 1")[3:9] == [
        "6 fault.injected w0",
        "8 fault.injected w0",
        "8 process.exited w0",
        "9 process.started w0",
        "9 fault.cleared",
        "10 task.dispatched w0",
    ]


def test_workers_told_to_end_do_so_after_their_attempt_and_killed_ones_at_once(tmp_path: Path) -> None:
    term = "{name: term, type: worker_term, at: 12s, restart_after: 2s}"
    assert story(tmp_path, faults=term, queue="workers: 1")[4:] == [
        "12 fault.injected w0",
        "15 execution.ended w0",
        "15 task.done w0",
        "15 process.exited w0",
        "17 process.started w0",
        "17 fault.cleared",
    ]
    crash, kill = (f"{{name: a, type: {word}, at: 12s, workers: 2}}" for word in ("worker_crash", "worker_kill"))
    assert story(tmp_path, faults=kill) == story(tmp_path, faults=crash)


def test_what_changes_nothing_in_a_model_is_said() -> None:
    said = [f"{each.what} ({each.remedy})" for each in doubts(load(EVERY).scenario)]
    advice = "run it with --target and a target file"
    for words in (
        f"connections_kill changes nothing in a simulation: the model has no connections ({advice})",
        f"clock_jump changes nothing in a simulation: the model has one clock, which does not jump ({advice})",
    ):
        assert words in said


def test_the_page_has_a_row_for_each() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Faults of a task system")[2]
    assert {*re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)} == {*OF_WORKERS, *OF_SERVICES}
