"""Closed load of k6 and Taurus, imported as users: how many there are when, how long they think, how much each submits."""

import json
from pathlib import Path
from typing import Any

import pytest
from foreign_files import imported, loaded, refusal

from soak.runner.cli import run_command
from soak.schemas.language.users import Users
from soak.simulation.rate import rate_of

AT_ONCE = {"distribution": "constant", "value": "100ms"}
SCRIPTED = "the think time (sleep) of an iteration is in the script, not in its options: 100ms is taken"
UNTIL_END = (
    "a run goes on until its duration is over, also after the last task; "
    "should it be too short for all {} tasks, the verdict is INCONCLUSIVE"
)


def users_in(part: dict[str, Any]) -> Users:
    users = loaded(part).scenario.workload.users
    assert users
    return users


def notes_of(folder: Path, options: object) -> list[str]:
    """What is different, without what it is about."""
    return [each.what.partition(": ")[2] for each in imported(folder, json.dumps(options)).notes]


def k6(**scenario: Any) -> dict[str, Any]:
    return {"scenarios": {"a": scenario}}


def stages(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"target": target, "duration": duration} for target, duration in pairs]


@pytest.mark.parametrize(
    ("options", "duration", "users"),
    [
        ({"vus": 5, "duration": "10m"}, "10m", {"count": 5}),
        ({"duration": "1h"}, "1h", {"count": 1}),
        (k6(executor="constant-vus", vus=7, duration=90000), "1m30s", {"count": 7}),
        (
            {"stages": stages((10, "1m"), (10, "5m"), (2, "0s"))},
            "6m",
            {"count": 1, "stages": [{"to": 10, "for": "1m"}, {"for": "5m"}]},
        ),
        (
            {"vus": 4, "stages": stages((10, "1m"), (0, "2m"))},
            "3m",
            {"count": 4, "stages": [{"to": 10, "for": "1m"}, {"to": 0, "for": "2m"}]},
        ),
        (
            k6(executor="ramping-vus", startVUs=0, stages=stages((8, "30s"), (4, "0s"), (6, "1m"))),
            "1m30s",
            {"stages": [{"to": 8, "for": "30s"}, {"count": 4, "to": 6, "for": "1m"}]},
        ),
        (k6(executor="ramping-vus", stages=stages((9, "0s"), (9, "2m"))), "2m", {"count": 9}),
    ],
)
def test_users_of_k6(tmp_path: Path, options: dict[str, Any], duration: str, users: dict[str, Any]) -> None:
    if options == {"duration": "1h"}:
        options = {"options": {**options, "thresholds": {}}}
    found = imported(tmp_path, json.dumps(options))
    assert found.part == {"duration": duration, "workload": {"users": {**users, "think": AT_ONCE}}}
    assert found.untranslated == () and notes_of(tmp_path, options) == [SCRIPTED]
    assert imported(tmp_path, json.dumps(options), "calls").part == found.part
    assert users_in(found.part).think.mean_s == 0.1


def test_the_number_of_users_over_time_is_that_of_k6(tmp_path: Path) -> None:
    """From 2 to 20 in 1 min, held for 2 min, at once to 5, from there to 0 in 1 min."""
    ramping = k6(executor="ramping-vus", startVUs=2, stages=stages((20, "1m"), (20, "2m"), (5, "0s"), (0, "1m")))
    users = users_in(imported(tmp_path, json.dumps(ramping)).part)
    assert [users.at(t_s) for t_s in (0, 30, 60, 179, 180, 210, 240)] == [2, 11, 20, 20, 5, 2.5, 0]


@pytest.mark.parametrize(
    ("options", "tasks", "duration", "notes"),
    [
        (k6(executor="per-vu-iterations", vus=10, iterations=20, maxDuration="30m"), 200, "30m", []),
        (
            k6(executor="per-vu-iterations", vus=3),
            3,
            "10m",
            ["maxDuration is not given: 10m is taken, as k6 does"],
        ),
        (
            k6(executor="shared-iterations", vus=10, iterations=1001, maxDuration="1h"),
            1001,
            "1h",
            ["each user submits an equal share of the tasks; in k6 a faster one takes more"],
        ),
        ({"iterations": 40}, 40, "10m", ["duration is not given: 10m is taken, as k6 does"]),
        (
            {"vus": 2, "iterations": 40, "duration": "5m"},
            40,
            "5m",
            ["each user submits an equal share of the tasks; in k6 a faster one takes more"],
        ),
    ],
)
def test_iterations_of_k6(tmp_path: Path, options: Any, tasks: int, duration: str, notes: list[str]) -> None:
    found = imported(tmp_path, json.dumps(options))
    count = options.get("scenarios", {"a": options})["a"].get("vus", 1)
    assert found.part == {
        "duration": duration,
        "workload": {"tasks": tasks, "users": {"count": count, "think": AT_ONCE}},
    }
    assert notes_of(tmp_path, options) == [SCRIPTED, *notes, UNTIL_END.format(f"{tasks:,}")]
    assert loaded(found.part).scenario.workload.tasks == tasks


def test_each_user_submits_what_a_vu_iterates(tmp_path: Path) -> None:
    options = tmp_path / "k6.json"
    options.write_text(json.dumps(k6(executor="per-vu-iterations", vus=4, iterations=5, maxDuration="2h")))
    whole, out = tmp_path / "whole.yaml", tmp_path / "run"
    assert run_command(["import", str(options), "--whole", "-o", str(whole)]) == 0
    run_command(["run", str(whole), "--out", str(out)])
    events = [json.loads(line) for line in (out / "soak_imported.jsonl").read_text().splitlines()]
    users = [int(event["key"]) % 4 for event in events if event["type"] == "task.enqueued"]
    assert sorted(users) == sorted([0, 1, 2, 3] * 5)


def test_what_bounds_a_rate_is_noted(tmp_path: Path) -> None:
    rate = k6(executor="constant-arrival-rate", rate=5, duration="1h", preAllocatedVUs=10, maxVUs=50)
    assert notes_of(tmp_path, rate) == ["k6 drops what 50 users cannot start in time; here every arrival is submitted"]
    execution = {"concurrency": 20, "throughput": 100, "hold-for": "10m"}
    assert imported(tmp_path, json.dumps({"execution": execution})).part["workload"] == {"arrivals": {"rate": "100/s"}}
    assert notes_of(tmp_path, {"execution": execution}) == [
        "20, throughput: 100, hold-for: 10m: tasks arrive at 100/s, whatever the system does; the 20 users of the "
        "original hold that only while request and think time together take 200ms at most"
    ]


def test_what_of_a_scenario_is_left_out_is_noted(tmp_path: Path) -> None:
    late = k6(executor="constant-vus", vus=1, duration="1m", startTime="5s", gracefulStop="3s", gracefulRampDown="0s")
    assert notes_of(tmp_path, late) == [
        SCRIPTED,
        "gracefulStop 3s is left out: `drain` says how long tasks may take after the end",
    ]


UP_AND_HOLD = [{"target": 8, "duration": "1m"}, {"target": 8, "duration": "9m"}]


@pytest.mark.parametrize(
    ("scenario", "duration", "load"),
    [
        (
            {"executor": "constant-arrival-rate", "rate": 5, "duration": "1h"},
            "1h10m",
            {"rate": "0/s", "stages": [{"for": "10m"}, {"rate": "5/s", "for": "1h"}]},
        ),
        (
            {"executor": "ramping-arrival-rate", "startRate": 2, "stages": UP_AND_HOLD},
            "20m",
            {"rate": "0/s", "stages": [{"for": "10m"}, {"rate": "2/s", "to": "8/s", "for": "1m"}, {"for": "9m"}]},
        ),
        (
            {"executor": "constant-vus", "vus": 4, "duration": "5m"},
            "15m",
            {"think": AT_ONCE, "stages": [{"for": "10m"}, {"count": 4, "for": "5m"}]},
        ),
        (
            {"executor": "ramping-vus", "startVUs": 0, "stages": [{"target": 3, "duration": "1m"}]},
            "11m",
            {"think": AT_ONCE, "stages": [{"for": "10m"}, {"to": 3, "for": "1m"}]},
        ),
    ],
)  # fmt: skip
def test_a_load_that_begins_later(tmp_path: Path, scenario: dict[str, Any], duration: str, load: object) -> None:
    found = imported(tmp_path, json.dumps(k6(**scenario, startTime="10m")))
    assert found.part["duration"] == duration
    assert [*found.part["workload"].values()] == [load]
    at_once = imported(tmp_path, json.dumps(k6(**scenario))).part
    rate, before = rate_of(loaded(found.part).scenario.workload), rate_of(loaded(at_once).scenario.workload)
    if "arrivals" in at_once["workload"]:
        assert [rate.at(t_s) for t_s in (0.0, 599.0, 630.0, 900.0)] == [0, 0, before.at(30.0), before.at(300.0)]


def test_iterations_that_begin_later(tmp_path: Path) -> None:
    part = imported(tmp_path, json.dumps(k6(executor="per-vu-iterations", vus=2, iterations=3, startTime=5000))).part
    assert part["workload"]["tasks"] == 6 and part["duration"] == "10m5s"
    assert part["workload"]["users"]["stages"] == [{"for": "5s"}, {"count": 2, "for": "10m"}]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"vus": 5}, "vus: k6 heeds vus beside duration, iterations or stages only"),
        (
            k6(executor="externally-controlled", vus=5, duration="1m"),
            "a (externally-controlled): the number of users is set from outside while the test runs",
        ),
        (k6(executor="hammer"), "a (hammer): is not an executor of k6"),
        (
            {"stages": stages((5, "1m")), "duration": "5m"},
            "duration: k6 takes either it or stages; the stages are taken",
        ),
    ],
)
def test_what_of_k6_cannot_be_said(tmp_path: Path, options: object, what: str) -> None:
    found = imported(tmp_path, json.dumps(options))
    assert [each.what for each in found.untranslated] == [what]
    assert found.part.get("duration", "1m") == "1m"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (k6(executor="constant-vus", vus=5), "foreign.yaml:1:21: duration is missing"),
        (k6(executor="constant-vus", vus="ten", duration="1m"), "foreign.yaml:1:57: vus: 'ten' is not a whole number"),
        (
            k6(executor="shared-iterations", vus=5, iterations=4),
            "foreign.yaml:1:79: 4 iterations are fewer than the 5 vus that share them",
        ),
        (k6(executor="per-vu-iterations", maxDuration="x"), "foreign.yaml:1:70: 'x' is not a duration"),
    ],
)
def test_wrong_users_are_refused(tmp_path: Path, options: object, said: str) -> None:
    assert refusal(tmp_path, json.dumps(options)).startswith(said)


# Taurus.


def taurus(scenario: Any = None, **execution: Any) -> dict[str, Any]:
    keys = {key.replace("_", "-"): value for key, value in execution.items()}
    return {"execution": [{**keys, "scenario": "s"}], "scenarios": {"s": scenario or {"think-time": "1500ms"}}}


THINK = {"distribution": "constant", "value": "1.5s"}


@pytest.mark.parametrize(
    ("document", "duration", "users"),
    [
        (taurus(concurrency=20, ramp_up="2m", hold_for="10m"), "12m", {"count": 20, "ramp": "2m"}),
        (taurus(hold_for="10m"), "10m", {"count": 1}),
        (taurus(concurrency=20, ramp_up="2m"), "2m", {"stages": [{"to": 20, "for": "2m"}]}),
        (
            taurus(concurrency=10, ramp_up="4m", hold_for="1m", steps=4),
            "5m",
            {
                "count": 3,
                "stages": [
                    {"for": "1m"},
                    {"count": 5, "for": "1m"},
                    {"count": 8, "for": "1m"},
                    {"count": 10, "for": "1m"},
                    {"for": "1m"},
                ],
            },
        ),
        (
            taurus(concurrency=1, ramp_up="3m", hold_for="1m", steps=3),
            "4m",
            {"stages": [{"for": "1m"}, {"count": 1, "for": "1m"}, {"for": "1m"}, {"for": "1m"}]},
        ),
    ],
)  # fmt: skip
def test_users_of_taurus(tmp_path: Path, document: object, duration: str, users: dict[str, Any]) -> None:
    found = imported(tmp_path, json.dumps(document))
    assert found.part == {"duration": duration, "workload": {"users": {**users, "think": THINK}}}
    assert found.notes == found.untranslated == ()
    assert users_in(found.part)


def test_more_steps_than_stages_are_a_ramp(tmp_path: Path) -> None:
    found = imported(tmp_path, json.dumps(taurus(concurrency=9, ramp_up="1h", hold_for="1h", steps=2000)))
    assert found.part["workload"] == {"users": {"count": 9, "ramp": "1h", "think": THINK}}
    assert ["2,000 steps are taken for an even ramp" in each.what for each in found.notes] == [True]


@pytest.mark.parametrize(
    ("scenario", "think", "note"),
    [
        ({"think-time": 2}, {"distribution": "constant", "value": "2s"}, ""),
        ({"think-time": "uniform(3s, 1s)"}, {"distribution": "uniform", "low": "2s", "high": "4s"}, ""),
        ({"think-time": "uniform(1s, 3s)"}, {"distribution": "uniform", "low": "0s", "high": "4s"}, ""),
        (
            {"think-time": "gaussian(10s, 2s)"},
            {"distribution": "lognormal", "median": "10s", "p95": "13.29s"},
            "its gaussian think-time is lognormal here, of the same median and 95th percentile",
        ),
        (
            {"think-time": "poisson(3s, 1s)"},
            {"distribution": "constant", "value": "3s"},
            "its poisson think-time, which hardly varies, is constant here",
        ),
        ({"requests": ["a"]}, AT_ONCE, "it gives no think-time: 100ms is taken"),
        ({"think-time": "0s"}, AT_ONCE, "it gives no think-time: 100ms is taken"),
        ({"think-time": "${pause}"}, AT_ONCE, "its think-time ${pause} is not a duration: 100ms is taken"),
        (
            {"think-time": "1s", "requests": [{"url": "a", "think-time": "9s"}]},
            {"distribution": "constant", "value": "1s"},
            "a think-time of a single request is left out: users have one for all",
        ),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_the_think_time_of_taurus(tmp_path: Path, scenario: Any, think: Any, note: str, inside: bool) -> None:
    document = taurus(scenario, concurrency=5, hold_for="10m")
    if inside:
        document = {"execution": {"concurrency": 5, "hold-for": "10m", "scenario": scenario}}
    found = imported(tmp_path, json.dumps(document))
    assert found.part["workload"]["users"]["think"] == think
    assert [each.what for each in found.notes] == ([f"concurrency: 5, hold-for: 10m: {note}"] if note else [])
    assert users_in(found.part)


@pytest.mark.parametrize(
    ("scenario", "tasks", "counted"),
    [
        ({"think-time": "1s", "requests": ["a", {"url": "b"}, "c"]}, 600, "each of its 3 requests is a task"),
        (
            {"think-time": "1s", "requests": ["a", {"loop": 5, "do": ["b"]}]},
            200,
            "an iteration is taken for one task, since its requests are not listed one by one",
        ),
        (
            {"think-time": "1s", "script": "x.jmx"},
            200,
            "an iteration is taken for one task, since its requests are not listed one by one",
        ),
    ],
)
def test_iterations_of_taurus(tmp_path: Path, scenario: Any, tasks: int, counted: str) -> None:
    """10 users, 20 iterations each."""
    document = taurus(scenario, concurrency=10, iterations=20, hold_for="1h")
    found = imported(tmp_path, json.dumps(document))
    think = {"distribution": "constant", "value": "1s"}
    assert found.part == {"duration": "1h", "workload": {"tasks": tasks, "users": {"count": 10, "think": think}}}
    said = "concurrency: 10, hold-for: 1h, iterations: 20"
    assert [each.what for each in found.notes] == [f"{said}: {counted}", f"{said}: {UNTIL_END.format(tasks)}"]
    del document["execution"][0]["hold-for"]
    endless = imported(tmp_path, json.dumps(document))
    assert endless.part == {"workload": found.part["workload"]}
    assert any("it does not say for how long it lasts" in each.what for each in endless.notes)
    assert loaded(endless.part).scenario.workload.tasks == tasks


def test_a_rate_with_iterations_ends_after_them(tmp_path: Path) -> None:
    document = taurus({"requests": ["a", "b"]}, concurrency=5, throughput=2, iterations=30, hold_for="1h")
    workload = imported(tmp_path, json.dumps(document)).part["workload"]
    assert workload == {"tasks": 300, "arrivals": {"rate": "2/s"}}
    del document["execution"][0]["hold-for"]
    assert imported(tmp_path, json.dumps(document)).part == {"workload": workload}


def test_what_of_an_execution_is_left_out_is_noted(tmp_path: Path) -> None:
    document = taurus(concurrency={"local": 5, "cloud": 500}, hold_for="1m", delay="10s")
    found = imported(tmp_path, json.dumps(document))
    assert found.part["workload"]["users"]["count"] == 5
    assert [each.what for each in found.notes] == [
        "hold-for: 1m: delay 10s is left out: the run begins with this load",
        "concurrency: that of local is taken, 5",
    ]
    nothing = imported(tmp_path, json.dumps(taurus(concurrency=5)))
    assert [each.what for each in nothing.untranslated] == ["concurrency: 5: it does not say for how long it lasts"]
