"""Users who belong to tenants, and of whom phases say how many are at work."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.events import Kind
from soak.simulation.closed import forecast_closed
from soak.simulation.plan import Plan
from soak.simulation.queue.closed_need import need_of
from soak.simulation.run import simulate

CONSTANT = {"distribution": "constant", "value": "4s"}
A_AND_B = [{"name": "A", "share": "60%"}, {"name": "B", "share": "40%"}]
TWO_PHASES = [
    {"name": "calm", "for": "40s", "users": {"A": 2, "B": 1}},
    {"name": "burst", "for": "20s", "users": {"A": 5, "B": 1}},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phases")


def scenario(folder: Path, phases: list[dict[str, Any]], *, duration: str = "1m", **more: Any) -> Scenario:
    workload = {"users": {"think": CONSTANT, **more.pop("users", {})}, "tenants": A_AND_B, **more.pop("workload", {})}
    data = {"version": 1, "name": "x", "system": "gateway", "duration": duration, "drain": "1m", "phases": phases}
    gateway = {"workers": 1000, "service": {"distribution": "constant", "value": "1s"}}
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(data | {"workload": workload, "gateway": gateway} | more))
    return load(path).scenario


def sent(plan: Plan) -> list[tuple[float, int, str]]:
    """When each request was due, its number and its tenant, in a simulation."""
    labels = plan.vocabulary.labels
    return [
        (float(block.value[n]), int(block.task[n]), labels[int(block.label[n])].tenant)
        for block in simulate(plan)
        for n in range(len(block))
        if block.kind[n] == Kind.TASK_ENQUEUED
    ]


def windows(of: Scenario) -> list[list[tuple[float, float]]]:
    users = of.workload.users
    assert users
    return [[(each.start_s, each.end_s) for each in users.windows(user)] for user in range(users.count)]


def test_who_is_at_work_when(folder: Path) -> None:
    """A tenant has as many users as its largest phase; those above the number of a phase are not there in it."""
    of = scenario(folder, TWO_PHASES)
    assert windows(of) == [*[[(0.0, 60.0)]] * 2, *[[(40.0, 60.0)]] * 3, [(0.0, 60.0)]]
    users = of.workload.users
    assert users and [users.at(t_s) for t_s in (0.0, 39.9, 40.0, 59.9, 60.0)] == [3, 3, 6, 6, 0]
    assert [(group.tenant, group.count, group.time_s) for group in users.groups] == [("A", 5, 180.0), ("B", 1, 60.0)]


def test_between_phases_that_say_it_nobody_is_at_work(folder: Path) -> None:
    phases = [
        {"name": "one", "at": "10s", "for": "10s", "users": {"A": 1}},
        {"name": "quiet", "at": "25s", "for": "5s"},
        {"name": "two", "at": "40s", "for": "20s", "users": {"A": 2, "B": 1}},
    ]
    of = scenario(folder, phases)
    assert windows(of) == [[(10.0, 20.0), (40.0, 60.0)], [(40.0, 60.0)], [(40.0, 60.0)]]
    due = [due_s for due_s, _, _ in sent(Plan(of))]
    # Every 5 s: 4 s of thinking and 1 s of service.
    assert due == [10.0, 15.0, *[40.0] * 3, *[45.0] * 3, *[50.0] * 3, *[55.0] * 3]


def test_a_phase_without_a_time_follows_the_one_before(folder: Path) -> None:
    phases = [
        {"name": "late", "at": "10s", "for": "20s", "users": {"A": 1}},
        {"name": "next", "for": "10s", "users": {"A": 2}},
        {"name": "last", "for": "20s", "users": {"A": 1}},
    ]
    of = scenario(folder, phases)
    assert [(each.window.start_s, each.window.end_s) for each in of.phases] == [(10, 30), (30, 40), (40, 60)]
    assert windows(of) == [[(10.0, 60.0)], [(30.0, 40.0)]]


def test_the_requests_of_a_user_are_its_tenants(folder: Path) -> None:
    plan = Plan(scenario(folder, TWO_PHASES))
    found = sent(plan)
    assert plan.users
    for _, number, tenant in found:
        assert tenant == ("A" if plan.users.user_of(number) < 5 else "B")
    arrivals = np.arange(24)
    assert plan.users.group_of(arrivals).tolist() == [0, 0, 0, 0, 0, 1] * 4
    labels = [plan.vocabulary.labels[place].tenant for place in plan.labels_of(arrivals << 1)]
    assert labels == ["A"] * 5 + ["B"] + (["A"] * 5 + ["B"]) * 3


def test_turns_are_numbered_for_each_user_whenever_it_is_at_work(folder: Path) -> None:
    """A user of the burst begins with its first turn when the burst does."""
    first: dict[int, float] = {}
    numbers: dict[int, list[int]] = {}
    plan = Plan(scenario(folder, TWO_PHASES))
    assert plan.users
    for due_s, number, _ in sent(plan):
        user = plan.users.user_of(number)
        first.setdefault(user, due_s)
        numbers.setdefault(user, []).append(number >> 1)
    assert first == {0: 0.0, 1: 0.0, 5: 0.0, 2: 40.0, 3: 40.0, 4: 40.0}
    assert all(each == [turn * 6 + user for turn in range(len(each))] for user, each in numbers.items())


def test_how_many_are_at_work_before_does_not_change_the_numbers_of_others(folder: Path) -> None:
    """As long as the largest number stays the same: numbers of B, and with them all that is drawn for its requests."""
    think = {"users": {"think": {"distribution": "exponential", "mean": "4s"}}}
    found = []
    for number in (0, 3, 5):
        phases = [
            {"name": "calm", "for": "40s", "users": {"A": number, "B": 2}},
            TWO_PHASES[1] | {"users": {"A": 5, "B": 2}},
        ]
        plan = Plan(scenario(folder, phases, **think))
        found.append([each for each in sent(plan) if each[2] == "B"])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 10


def test_the_share_of_a_tenant_is_that_of_its_users_time(folder: Path) -> None:
    """Whatever `share` says: requests come from users, and A has 180 of 240 s of users at work."""
    of = scenario(folder, TWO_PHASES)
    assert [each.share for each in of.workload.tenants] == pytest.approx([0.75, 0.25])
    found = sent(Plan(of))
    assert sum(tenant == "A" for _, _, tenant in found) / len(found) == pytest.approx(0.75)


def test_a_tenant_without_users_sends_nothing(folder: Path) -> None:
    of = scenario(folder, [{"name": "all", "for": "1m", "users": {"A": 2}}])
    assert {tenant for _, _, tenant in sent(Plan(of))} == {"A"}


def test_bounds_are_those_of_the_most_at_any_time(folder: Path) -> None:
    """In other systems, too: there are 20 users in all, but never more than 11 at work."""
    phases = [
        {"name": "one", "for": "30s", "users": {"A": 10, "B": 1}},
        {"name": "two", "for": "30s", "users": {"A": 1, "B": 10}},
    ]
    users = {
        "users": {"think": CONSTANT},
        "tenants": A_AND_B,
        "task": {"duration": {"distribution": "constant", "value": "1s"}},
    }
    data = {"version": 1, "name": "x", "system": "queue", "duration": "1m", "phases": phases, "workload": users}
    path = folder / "queue.yaml"
    path.write_text(yaml.safe_dump(data | {"queue": {"workers": 100, "poll_interval": "0s"}}))
    of = load(path).scenario
    found = forecast_closed(of, need_of(of))
    assert of.workload.users and of.workload.users.count == 20
    assert (found.users, found.most_per_s) == (11, pytest.approx(11 / 5))
    assert set(found.users_over_time.tolist()) == {11.0}


COUNTS = st.lists(st.tuples(st.integers(5, 20), st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_as_many_are_at_work_as_the_phases_say(folder: Path, phases: list[tuple[int, int, int]]) -> None:
    entries = [
        {"name": f"p{place}", "for": f"{length}s", "users": {"A": a, "B": b}}
        for place, (length, a, b) in enumerate(phases)
    ]
    if not any(a + b for _, a, b in phases):
        entries[0]["users"] = {"A": 1}
        phases = [(phases[0][0], 1, 0), *phases[1:]]
    of = scenario(folder, entries, duration=f"{sum(length for length, _, _ in phases)}s")
    users, start_s = of.workload.users, 0.0
    assert users
    for length, a, b in phases:
        middle_s = start_s + length / 2
        there = [
            any(each.start_s <= middle_s < each.end_s for each in users.windows(user)) for user in range(users.count)
        ]
        by_tenant = [
            sum(is_there and users.group_of(user) == place for user, is_there in enumerate(there)) for place in (0, 1)
        ]
        assert by_tenant == [a, b]
        start_s += length
