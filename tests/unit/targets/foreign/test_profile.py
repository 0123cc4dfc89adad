"""What `soak target check` says of a task system: promises that are kept, broken, not tested, not applicable."""

import dataclasses
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from soak.runner.api import simulate_scenario
from soak.runner.cli import run_command
from soak.runner.profile import Profile, Promised, in_words, profile, profiling_of, seen
from soak.runner.targets.profiling import Tested as Way
from soak.runner.targets.queue.foreign.profiling import SEED, profiling
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.load import Loaded, load
from soak.schemas.target.load import LoadedTarget, load_target
from soak.simulation.plan import Plan

TARGET = """name: mine
workers: {command: sleep 60}
submit: {command: "true {payload}"}
promises: PROMISES
"""
ALL = (
    "[at_least_once, exactly_once_effect, exclusive, idempotent_keys, retries, backoff, permanent_errors, {redelivery: 20s}, "
    "leases, heartbeats, guardrail, priorities, order]"
)


def target(folder: Path, promises: str) -> LoadedTarget:
    (folder / "target.yaml").write_text(TARGET.replace("PROMISES", promises))
    return load_target(folder / "target.yaml")


def scenario(folder: Path, loaded: LoadedTarget) -> Loaded:
    (folder / "check.yaml").write_text(profiling(loaded).scenario)
    return load(folder / "check.yaml")


def way(loaded: LoadedTarget, promise: str) -> Way:
    return next(each for each in profiling(loaded).tested if each.promise == promise)


@pytest.mark.parametrize("promises", ["[]", ALL, "[retries]", "[at_least_once, {redelivery: 1h}]", "[idempotent_keys]"])
def test_its_scenario_is_valid_whatever_is_promised(tmp_path: Path, promises: str) -> None:
    found = scenario(tmp_path, target(tmp_path, promises)).scenario
    assert found.duration_s == 26
    if promises == ALL:
        assert [each.name for each in found.faults] == [
            "transient-error",
            "permanent-error",
            "duplicate-enqueue",
            "guardrail-exceed",
            "worker-crash",
        ]
        assert found.drain_s == 50


def test_with_its_seed_tasks_fail_once_and_are_then_well(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, target(tmp_path, ALL)).scenario)
    assert plan.seed == SEED
    during = [number for number in range(4, 16) if plan.fate(2 * number, 1, 5.0)[1]]
    assert len(during) >= 3
    assert not any(plan.fate(2 * number, attempt, 5.0)[1] for number in during for attempt in (2, 3))
    assert sum(bool(plan.fate(2 * number, 1, 11.0)[1]) for number in range(20, 26)) >= 2


def test_what_is_not_tested_says_why(tmp_path: Path) -> None:
    loaded = target(tmp_path, "[at_least_once, {redelivery: 1h}, permanent_errors, leases]")
    assert (
        way(loaded, "at_least_once").untested == "it may take 1h (a faster clock shortens that: clock: {faketime: 10})"
    )
    assert way(loaded, "permanent_errors").untested == "nobody promises retries, so that nothing is made again"
    assert way(loaded, "leases").untested == "seen from outside only by redelivery"
    assert not way(loaded, "order").promised
    endless = target(tmp_path, "[exactly_once_effect]")
    assert way(endless, "exactly_once_effect").untested == "nothing says within which time (add {redelivery: 1m})"
    bare = dataclasses.replace(loaded, file=replace(loaded.file, workers=None))
    assert (
        way(bare, "redelivery").untested
        == "its workers are its own, and the target file starts none that could be killed"
    )
    fast = dataclasses.replace(loaded, file=replace(loaded.file, faketime=60.0))
    assert way(fast, "redelivery").untested == ""


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """That of a sound system: the model's."""
    folder = tmp_path_factory.mktemp("profile")
    return simulate_scenario(scenario(folder, target(folder, ALL)))[0]


def test_a_promise_is_kept_where_its_objectives_hold(verdict: Verdict) -> None:
    said = seen(Way("retries", slis=("recovery_rate",), faults=("transient_error",)), verdict)
    assert (said.status, said.detail) == ("kept", "recovery_rate 100%, 3 times transient_error")


def test_a_promise_is_broken_where_one_of_them_is(verdict: Verdict) -> None:
    broken = [
        msgspec.structs.replace(each, status=Status.FAIL, value=0.5) if each.sli == "recovery_rate" else each
        for each in verdict.objectives
    ]
    said = seen(Way("retries", slis=("recovery_rate",)), msgspec.structs.replace(verdict, objectives=broken))
    assert (said.status, said.detail) == ("broken", "recovery_rate == 100%, observed 50%")


def test_what_no_attempt_met_is_not_tested(verdict: Verdict) -> None:
    said = seen(Way("retries", slis=("recovery_rate",), faults=("db_lock",)), verdict)
    assert said == Promised("retries", "not tested", "no attempt met the fault db_lock")
    assert seen(Way("order", slis=("latency_p50",)), verdict).status == "not tested"
    assert seen(Way("order", promised=False), verdict) == Promised("order", "not applicable", "not promised")


def test_a_system_that_does_nothing_keeps_nothing() -> None:
    found = Profile(0, "submissions and bodies", {"accepted": 3}, (Promised("retries", "not tested"),), ())
    assert not found.is_kept
    assert "no task was executed: see that workers take what is submitted, and that a body reports" in in_words(
        found, "a"
    )


WORKER = """
import os, sys, time
from soak import kit
from soak.body import PermanentError, TransientError
folder, name = sys.argv[1:]
for each in ("todo", "doing"):
    os.makedirs(f"{folder}/{each}", exist_ok=True)
print("ready", flush=True)
while True:
    for file in sorted(os.listdir(f"{folder}/todo")):
        try:
            os.rename(f"{folder}/todo/{file}", f"{folder}/doing/{name}")
        except OSError:
            continue
        try:
            kit.attempt(open(f"{folder}/doing/{name}").read(), worker=name)
        except TransientError:
            os.rename(f"{folder}/doing/{name}", f"{folder}/todo/{file}")
        except PermanentError:
            pass
    time.sleep(0.01)
"""
SYSTEM = r"""name: folder-of-files
workers: {command: "{python} worker.py {dir} {name}", ready: {log: ready}}
submit: {command: "sh -c 'printf %s \"$1\" > {dir}/new.$0; mv {dir}/new.$0 {dir}/todo/$0' {key} {payload}"}
promises: [retries, idempotent_keys, at_least_once, leases, {redelivery: 500ms}]
"""


def test_a_system_that_is_wrong_is_told_of_its_broken_promises(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "target.yaml").write_text(SYSTEM)
    loaded = load_target(tmp_path / "target.yaml")
    check = profiling_of(loaded)
    assert check
    found = profile(loaded, check, speed=6.0)
    status = {each.promise: each.status for each in found.promises}
    assert (found.is_kept, found.level) == (False, 1)
    assert (status["retries"], status["idempotent_keys"], status["leases"]) == ("kept", "broken", "not tested")
    assert (status["at_least_once"], status["redelivery"], status["order"]) == ("broken", "broken", "not applicable")


def test_a_system_that_does_not_start_is_no_broken_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "sh -c 'echo no disk; exit 4', ready: {log: up}"
    (tmp_path / "target.yaml").write_text(TARGET.replace("PROMISES", "[retries]").replace("sleep 60", command))
    assert run_command(["target", "check", str(tmp_path / "target.yaml")]) == 1
    assert "exited with 4: no disk" in capsys.readouterr().err
