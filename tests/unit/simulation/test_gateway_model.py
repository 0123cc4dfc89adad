"""The model of a gateway: what becomes of each request, in small scenarios with known times."""

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.schemas.language.load import load
from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.gateway.outbox import Outbox
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

EVERY_SECOND = {"arrivals": {"rate": "1/s", "process": "constant"}}
TENANTS = [{"name": "A", "share": "50%"}, {"name": "B", "share": "50%"}]


def seconds(value: float) -> dict[str, str]:
    return {"distribution": "constant", "value": f"{round(value * 1000)}ms"}


def fault(kind: str, at: str, length: str, **more: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, "at": at, "for": length, **more}


class Run(NamedTuple):
    """A simulation: how each request ended (cause or `ok`) and when, when it was due, its tenant, and all events by kind."""

    how: dict[int, str]
    ended_s: dict[int, float]
    due_s: dict[int, float]
    tenant: dict[int, str]
    events: list[tuple[Kind, float, float, str]]

    def of(self, kind: Kind) -> list[tuple[float, float]]:
        """Times and values of the events of a kind."""
        return [(t, value) for each, t, value, _ in self.events if each is kind]


def run(gateway: dict[str, Any], workload: dict[str, Any] | None = None, **more: Any) -> Run:
    data = {"version": 1, "name": "x", "system": "gateway", "duration": "10s", "drain": "1m", "gateway": gateway}
    data |= {"workload": workload or EVERY_SECOND, "telemetry": {"sample_interval": "1s"}} | more
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.yaml"
        path.write_text(yaml.safe_dump(data))
        plan = Plan(load(path).scenario)
    return followed(plan, list(simulate(plan)))


def followed(plan: Plan, blocks: list[Block]) -> Run:
    """What the blocks say; every request is enqueued, dispatched and ended once, and the census agrees."""
    found, counts = Run({}, {}, {}, {}, []), Counter[tuple[int, int]]()
    for block in blocks:
        for n in range(len(block)):
            kind, task, t = Kind(int(block.kind[n])), int(block.task[n]), float(block.t[n])
            cause = plan.vocabulary.causes[int(block.cause[n])]
            counts[kind, task] += 1
            value = 0.0 if math.isnan(block.value[n]) else float(block.value[n])
            found.events.append((kind, t, value, cause.fault))
            if kind is Kind.TASK_ENQUEUED:
                found.due_s[task] = float(block.value[n])
                labels = plan.vocabulary.labels
                found.tenant[task] = labels[int(block.label[n])].tenant if labels else ""
            elif kind in {Kind.TASK_DONE, Kind.TASK_FAILED}:
                found.how[task], found.ended_s[task] = cause.error or "ok", t
    for task in found.due_s:
        ends = counts[Kind.TASK_DONE, task] + counts[Kind.TASK_FAILED, task]
        assert (counts[Kind.TASK_ENQUEUED, task], counts[Kind.TASK_DISPATCHED, task]) == (1, 1)
        assert ends == 1 or (ends == 0 and task not in found.how)
        answered = found.how.get(task) not in {None, "timeout", "connection_error"}
        assert counts[Kind.RESPONSE_RECEIVED, task] == answered
    assert set(found.how) <= set(found.due_s)
    ends_well = sum(how == "ok" for how in found.how.values())
    census = {state: found.of(kind)[0][1] for state, kind in CENSUS.items()}
    assert census[TaskState.DONE] == ends_well
    assert census[TaskState.FAILED] == len(found.how) - ends_well
    assert census[TaskState.IN_PROGRESS] == len(found.due_s) - len(found.how)
    return found


def latencies(found: Run) -> list[float]:
    return [tick(found.ended_s[task] - found.due_s[task]) for task in sorted(found.ended_s)]


def test_the_parts_of_a_request_add_up() -> None:
    found = run(
        {
            "service": seconds(0.1),
            "store": {"connections": 1, "latency": seconds(0.2)},
            "chain": {"hold": seconds(0.3)},
        }
    )
    assert set(latencies(found)) == {0.6}
    assert set(found.how.values()) == {"ok"}
    assert {value for _, value in found.of(Kind.RESPONSE_RECEIVED)} == {200.0}


def test_the_backlog_is_full() -> None:
    """One is worked on, one waits, and those that come meanwhile are refused."""
    found = run({"workers": 1, "backlog": 1, "service": seconds(3.5)}, duration="6s")
    ends = [(found.how[task], found.ended_s[task]) for task in sorted(found.how)]
    assert ends == [
        ("ok", 3.5),
        ("ok", 7.0),
        ("server_error", 2.0),
        ("server_error", 3.0),
        ("ok", 10.5),
        ("server_error", 5.0),
    ]
    assert Counter(value for _, value in found.of(Kind.RESPONSE_RECEIVED)) == {200.0: 3, 503.0: 3}


def test_ps_shares_the_workers() -> None:
    """Two at once at half speed each: the first has had 1 s alone, 2 s shared by 2, and so on."""
    found = run({"workers": 1, "discipline": "ps", "service": seconds(1.5)}, duration="2s")
    # 1 s alone, then both: 0.5 s left takes 1 s; the second has had 0.5 s by then, and 1 s more alone.
    assert latencies(found) == [2.0, 2.0]
    twice = run({"workers": 2, "discipline": "ps", "service": seconds(1.5)}, duration="2s")
    assert latencies(twice) == [1.5, 1.5]
    full = run({"workers": 1, "discipline": "ps", "backlog": 0, "service": seconds(1.5)}, duration="2s")
    assert list(full.how.values()).count("server_error") == 1


def test_a_bucket_throttles_at_once() -> None:
    found = run({"limits": {"rate": "30/min", "burst": 2}}, duration="8s")
    # Two tokens at first, and one every two seconds: all but every second one from the fourth request on.
    assert [found.how[task] for task in sorted(found.how)] == [*["ok"] * 3, *["throttled", "ok"] * 2, "throttled"]
    assert {found.ended_s[task] == found.due_s[task] for task, how in found.how.items() if how == "throttled"} == {True}
    assert Counter(value for _, value in found.of(Kind.RESPONSE_RECEIVED))[429.0] == 3


def test_a_user_whose_request_fails_goes_on() -> None:
    """It thinks, and sends the next one."""
    workload = {"users": {"count": 1, "think": seconds(2)}}
    found = run({"limits": {"rate": "0.001/s"}, "service": seconds(0.5)}, workload, duration="8s")
    assert [found.due_s[task] for task in sorted(found.due_s)] == [0.0, 2.5, 4.5, 6.5]
    assert list(found.how.values()) == ["ok", *["throttled"] * 3]


def test_a_limit_of_one_tenant() -> None:
    workload = {**EVERY_SECOND, "tenants": TENANTS}
    found = run({"limits": {"tenants": {"A": {"rate": "0.001/s"}}}}, workload, duration="20s")
    ends = {tenant: [found.how[task] for task in sorted(found.how) if found.tenant[task] == tenant] for tenant in "AB"}
    assert ends["A"] == ["ok", *["throttled"] * (len(ends["A"]) - 1)]
    assert set(ends["B"]) == {"ok"}


def test_a_timeout_counts_from_when_it_is_sent_and_the_work_goes_on() -> None:
    found = run({"workers": 1, "service": seconds(1.5)}, duration="4s", http={"timeout": "2s"})
    # Ends would be 1.5, 2, 2.5 and 3 s after they were due; abandoned ones keep the worker all the same.
    assert latencies(found) == [1.5, 2.0, 2.0, 2.0]
    assert [found.how[task] for task in sorted(found.how)] == ["ok", "ok", "timeout", "timeout"]


def test_what_requests_expect() -> None:
    """A 403 that is expected is a success, an answer that comes late is a wrong one, and so is whatever else is expected."""
    kinds = [
        {"name": "denied", "share": "50%", "request": {"path": "/"}, "expect": {"status": 403}},
        {"name": "late", "share": "50%", "request": {"path": "/"}, "expect": {"within": "400ms"}},
    ]
    found = run({"service": seconds(0.5)}, {**EVERY_SECOND, "kinds": kinds}, duration="30s")
    counts = Counter(found.how.values())
    assert set(counts) == {"ok", "wrong_answer"}
    assert Counter(value for _, value in found.of(Kind.RESPONSE_RECEIVED)) == {
        403.0: counts["ok"],
        200.0: counts["wrong_answer"],
    }
    limits = {"limits": {"rate": "0.001/s"}, "service": seconds(0.1)}
    task = {"request": {"path": "/"}, "expect": {"status": [200, 429]}}
    throttled = run(limits, {**EVERY_SECOND, "task": task}, duration="5s")
    assert set(throttled.how.values()) == {"ok"}
    assert Counter(value for _, value in throttled.of(Kind.RESPONSE_RECEIVED)) == {200.0: 1, 429.0: 4}


def test_who_waits_too_long_for_the_lock_gives_up() -> None:
    chain = {"hold": seconds(1.8), "gives_up_after": "1s"}
    found = run({"service": seconds(0.1), "chain": chain}, duration="4s")
    # 0: to 1.9. 1: waits 0.8, to 3.7. 2: gives up at 3.1. 3: waits 0.6, to 5.5.
    assert latencies(found) == [1.9, 2.7, 1.1, 2.5]
    assert [found.how[task] for task in sorted(found.how)] == ["ok", "ok", "server_error", "ok"]


def test_kinds_that_extend_no_chain_and_leave_no_row() -> None:
    kinds = [{"name": "reads", "share": "50%"}, {"name": "writes", "share": "50%"}]
    workload = {**EVERY_SECOND, "kinds": kinds}
    chain = {"kinds": ["writes"], "hold": seconds(0.5)}
    found = run(
        {"service": seconds(0.1), "chain": chain, "outbox": {"kinds": ["writes"], "drain_rate": "0/s"}}, workload
    )
    counts = Counter(latencies(found))
    assert set(counts) == {0.1, 0.6}
    assert found.of(Kind.SAMPLE_OUTBOX)[-1][1] == counts[0.6]


# By request from the one sent 2.25 s after the start on, every 0.25 s: when it ends. In order, one of those that are worked on at
# 3 s is in the first process, and those after it wait for the two workers that are left, until all are back at 5 s.
IN_ORDER = [3.15, 3.0, 3.65, 4.05, 4.55, 4.95, 5.45, 5.85, 5.9, 5.9]
# Shared, three are there at 3 s and one is left; with the next two, three share two workers from 3.25 s on.
SHARED = [3.0, 3.475, 3.0, 4.5]


@pytest.mark.parametrize(("discipline", "ends"), [("fcfs", IN_ORDER), ("ps", SHARED)])
def test_a_kill_takes_the_requests_of_one_process(discipline: str, ends: list[float]) -> None:
    """Of four workers in two processes, half are gone; what waits goes on with the rest, and all are back after a while."""
    workload = {"arrivals": {"rate": "4/s", "process": "constant"}}
    gateway = {"workers": 4, "processes": 2, "discipline": discipline, "service": seconds(0.9)}
    found = run(gateway, workload, faults=[fault("gateway_kill", "3s", "2s")])
    sent = [task for task in sorted(found.due_s) if found.due_s[task] >= 2.25]
    assert [found.ended_s[task] for task in sent[: len(ends)]] == ends
    broken = {task for task, how in found.how.items() if how == "connection_error"}
    assert broken == {task for task, end in zip(sent, ends, strict=False) if end == 3.0}
    assert set(found.how.values()) == {"ok", "connection_error"}
    assert [t for t, _ in found.of(Kind.PROCESS_EXITED)] == [3.0]
    assert [t for t, _ in found.of(Kind.PROCESS_STARTED)] == [t for t, _ in found.of(Kind.FAULT_CLEARED)] == [5.0]


@pytest.mark.parametrize("discipline", ["fcfs", "ps"])
def test_a_kill_takes_the_workers_of_one_process_from_pools_of_their_own(discipline: str) -> None:
    """One worker for each tenant, in a process each: while that of A is gone, B is answered as ever."""
    gateway = {"workers": 2, "processes": 2, "pools": "per_tenant", "discipline": discipline, "service": seconds(0.5)}
    workload = {**EVERY_SECOND, "tenants": TENANTS}
    found = run(gateway, workload, faults=[fault("gateway_kill", "5s", "10s")], duration="20s")
    took = {
        tenant: {tick(found.ended_s[t] - found.due_s[t]) for t in found.how if found.tenant[t] == tenant}
        for tenant in "AB"
    }
    assert took["B"] == {0.5}
    assert max(took["A"]) > 5


def test_a_kill_while_all_are_slowed_down() -> None:
    """Three share two workers until one is gone with its process: those left have had 2.2 s and 0.2 s of 2.5 s by then."""
    gateway = {"workers": 2, "processes": 2, "discipline": "ps", "service": seconds(2.5)}
    found = run(gateway, faults=[fault("gateway_kill", "2300ms", "60ms")], duration="3s", drain="1m")
    assert [found.ended_s[task] for task in sorted(found.how)] == [2.63, 2.3, 4.63]


@pytest.mark.parametrize(("discipline", "ends"), [("fcfs", [3.2, 5.7, 6.2]), ("ps", [3.2, 6.2, 6.2])])
def test_with_one_process_everybody_waits_until_it_is_back(discipline: str, ends: list[float]) -> None:
    gateway = {"workers": 1, "processes": 1, "discipline": discipline, "service": seconds(0.5)}
    found = run(gateway, faults=[fault("gateway_kill", "3200ms", "2s")], duration="6s")
    assert [found.ended_s[task] for task in sorted(found.how)][3:] == ends
    assert [found.how[task] for task in sorted(found.how)] == [*["ok"] * 3, "connection_error", "ok", "ok"]


def test_a_lock_outlives_the_process_of_its_holder() -> None:
    chain = {"hold": seconds(5), "gives_up_after": "10s", "locked_for": "4s"}
    gateway = {"workers": 4, "processes": 1, "service": seconds(0.1), "chain": chain}
    found = run(gateway, faults=[fault("gateway_kill", "3s", "100ms")], duration="5s")
    broken = {task for task, how in found.how.items() if how == "connection_error"}
    first, rest = min(found.due_s), sorted(set(found.due_s) - broken)
    assert first in broken
    # It was taken 0.1 s after the first request was sent; the next one that is left gets it 4 s later and has it for 5 s.
    assert tick(found.ended_s[rest[0]] - found.due_s[first]) == 9.1


def test_while_the_store_is_gone_requests_that_need_it_fail() -> None:
    """Also the one that is there when it goes; its connection is free when the store is back."""
    gateway = {"service": seconds(0.1), "store": {"connections": 1, "latency": seconds(0.95)}}
    found = run(gateway, faults=[fault("store_outage", "3s", "4s")])
    failed = [task for task in sorted(found.how) if found.how[task] == "server_error"]
    assert [(found.due_s[task], found.ended_s[task]) for task in failed] == [
        (2, 3.0),
        (3, 3.1),
        (4, 4.1),
        (5, 5.1),
        (6, 6.1),
    ]
    assert {each for each in found.events if each[0] is Kind.TASK_FAILED and each[3] != "store_outage"} == set()
    assert [t for t, _ in found.of(Kind.FAULT_SEEN)] == [3.0]
    assert len(found.of(Kind.FAULT_CLEARED)) == 1
    assert [found.ended_s[task] for task in sorted(found.how)][7:] == [8.05, 9.05, 10.05]


def test_a_slow_store() -> None:
    gateway = {"service": seconds(0.1), "store": {"connections": 9, "latency": seconds(0.2)}}
    found = run(gateway, faults=[fault("store_slow", "3s", "4s", times_as_slow=10)])
    slow = {task for task, due_s in found.due_s.items() if 3.0 <= due_s + 0.1 < 7.0}
    assert {tick(found.ended_s[task] - found.due_s[task]) for task in slow} == {2.1}
    assert {tick(found.ended_s[task] - found.due_s[task]) for task in set(found.due_s) - slow} == {0.3}
    assert len(found.of(Kind.FAULT_SEEN)) == 1


def test_a_lock_outage() -> None:
    gateway = {"service": seconds(0.1), "chain": {"hold": seconds(0.1), "gives_up_after": "1500ms"}}
    found = run(gateway, faults=[fault("lock_outage", "3s", "4s")])
    failed = {task for task, how in found.how.items() if how == "server_error"}
    assert failed == {task for task, due_s in found.due_s.items() if 3.0 <= due_s + 0.1 < 5.5}
    assert {tick(found.ended_s[task] - found.due_s[task]) for task in failed} == {1.6}
    assert len(found.of(Kind.FAULT_SEEN)) == 1


def test_a_fault_that_no_request_meets_is_not_seen() -> None:
    found = run({"service": seconds(0.1)}, faults=[fault("store_outage", "3s", "4s"), fault("lock_outage", "3s", "4s")])
    assert not found.of(Kind.FAULT_SEEN)
    assert len(found.of(Kind.FAULT_INJECTED)) == len(found.of(Kind.FAULT_CLEARED)) == 2


@given(st.lists(st.tuples(st.sampled_from("psl"), st.integers(0, 30)), max_size=40), st.sampled_from([1.0, 4.0, 0.25]))
def test_the_outbox_is_a_queue_with_one_server(steps: list[tuple[str, int]], rate_per_s: float) -> None:
    """Against stepping it: put, stall, and look, after times of eighths of a second."""
    outbox, rows, now, stalled_s = Outbox(rate_per_s), list[float](), 0.0, 0.0
    for what, eighths in steps:
        if what == "p":
            now += eighths / 8
            outbox.put(now)
            rows.append(max([now, stalled_s, *rows[-1:]]) + 1 / rate_per_s)
        elif what == "s":
            until_s = now + eighths / 8
            outbox.stall(now, until_s)
            late_s = max(until_s, stalled_s) - max(now, stalled_s)
            rows = [each + late_s if each > now else each for each in rows]
            stalled_s = max(until_s, stalled_s)
        else:
            now += eighths / 8
        assert outbox.level(now) == sum(each > now for each in rows)


GATEWAYS = st.fixed_dictionaries(
    {
        "workers": st.integers(2, 6),
        "processes": st.integers(1, 3),
        "discipline": st.sampled_from(["fcfs", "ps"]),
        "pools": st.sampled_from(["shared", "per_tenant"]),
        "backlog": st.integers(0, 6),
        "service": st.just({"distribution": "exponential", "mean": "300ms"}),
    },
    optional={
        "limits": st.just({"rate": "3/s", "burst": 5, "tenants": {"B": {"rate": "1/s", "burst": 2}}}),
        "store": st.just({"connections": 2, "latency": {"distribution": "exponential", "mean": "200ms"}}),
        "chain": st.just(
            {"hold": {"distribution": "exponential", "mean": "200ms"}, "gives_up_after": "500ms", "locked_for": "1s"}
        ),
        "outbox": st.just({"drain_rate": "2/s"}),
    },
)
FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["gateway_kill", "store_outage", "store_slow", "lock_outage"]),
        st.integers(1, 14),
        st.integers(1, 5),
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(GATEWAYS, FAULTS, st.integers(0, 2**32), st.booleans())
def test_every_request_ends_once(
    gateway: dict[str, Any], faults: list[tuple[str, int, int]], seed: int, closed: bool
) -> None:
    """`followed` counts them; after the drain nobody is left, since each request times out."""
    think = {"distribution": "exponential", "mean": "1s"}
    load_ = {"users": {"count": 12, "think": think}} if closed else {"arrivals": {"rate": "10/s"}}
    entries = [
        {**fault(kind, f"{at}s", f"{length}s"), "name": f"f{place}"}
        | ({"times_as_slow": 5} if kind == "store_slow" else {})
        for place, (kind, at, length) in enumerate(faults)
    ]
    http = {"timeout": "2s"}
    found = run(gateway, {**load_, "tenants": TENANTS}, duration="20s", seed=seed, faults=entries, http=http)
    assert set(found.how) == set(found.due_s)
    assert max(latencies(found)) <= 2.0
    assert all(value == 0 or kind is not Kind.SAMPLE_IN_SERVICE or value > 0 for kind, _, value, _ in found.events)


@settings(max_examples=20, deadline=None)
@given(GATEWAYS, st.integers(0, 40), st.integers(0, 2**32))
def test_with_pools_of_their_own_tenants_do_not_feel_each_other(gateway: dict[str, Any], noisy: int, seed: int) -> None:
    """Whatever A does, each request of B ends in the same way at the same time: exactly."""
    outcomes = []
    for number in (noisy, 5):
        phases = [
            {"name": "first", "for": "10s", "users": {"A": number, "B": 5}},
            {"name": "full", "for": "5s", "users": {"A": 40, "B": 5}},
        ]
        workload = {"users": {"think": {"distribution": "exponential", "mean": "500ms"}}, "tenants": TENANTS}
        found = run(gateway | {"pools": "per_tenant"}, workload, duration="15s", seed=seed, phases=phases)
        outcomes.append({t: (found.how[t], found.ended_s[t]) for t in found.how if found.tenant[t] == "B"})
    assert outcomes[0] == outcomes[1]


def test_in_a_shared_pool_they_do() -> None:
    """The same comparison can fail."""
    outcomes = []
    for number in (1, 40):
        phases = [
            {"name": "first", "for": "10s", "users": {"A": number, "B": 5}},
            {"name": "full", "for": "5s", "users": {"A": 40, "B": 5}},
        ]
        workload = {"users": {"think": {"distribution": "exponential", "mean": "500ms"}}, "tenants": TENANTS}
        found = run({"workers": 2, "service": seconds(0.3)}, workload, duration="15s", phases=phases)
        outcomes.append({t: found.ended_s[t] for t in found.how if found.tenant[t] == "B"})
    assert outcomes[0] != outcomes[1]


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_blocks_do_not_matter(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run({"workers": 1, "service": {"distribution": "exponential", "mean": "900ms"}}, duration="60s")
    monkeypatch.setattr("soak.simulation.run.EVENTS_PER_BLOCK", pieces)
    assert run({"workers": 1, "service": {"distribution": "exponential", "mean": "900ms"}}, duration="60s") == whole
