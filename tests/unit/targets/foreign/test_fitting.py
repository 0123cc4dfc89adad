"""Faults that do not apply to a task system are left out of the scenario as it is run, and it is said why."""

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from soak.runner.targets.make import make_target
from soak.runner.targets.queue.foreign.fitting import fitted, left_out
from soak.schemas.errors import ScenarioError
from soak.schemas.language.load import Loaded, load
from soak.schemas.target.load import load_target
from soak.schemas.target.model import FaultActions, Promise, Promises, Proxy, TargetFile

ROOT = Path(__file__).resolve().parents[4]
TARGET = """name: mine
services: [{name: redis, role: broker, command: sleep 60}, {name: pg, role: database, command: sleep 60}]
proxies: {net: 5432}
workers: {command: sleep 60}
submit: {command: "true {payload}"}
promises: [retries]
"""
SOAK = ROOT / "scenarios" / "72h.yaml"


@pytest.fixture
def file(tmp_path: Path) -> TargetFile:
    (tmp_path / "target.yaml").write_text(TARGET)
    return load_target(tmp_path / "target.yaml").file


def why(file: TargetFile, type_: str, **more: object) -> str | None:
    return left_out([{"name": "a", "type": type_, **more}], file).get("a")


def test_a_fault_that_tests_a_promise_needs_it(file: TargetFile) -> None:
    assert why(file, "duplicate_enqueue") == "nobody promises idempotent_keys"
    assert why(file, "guardrail_exceed") == "nobody promises guardrail"
    promised = replace(file, promises=Promises(frozenset({Promise.IDEMPOTENT_KEYS, Promise.GUARDRAIL})))
    assert why(promised, "duplicate_enqueue") is why(promised, "guardrail_exceed") is None
    assert why(replace(file, promises=None), "guardrail_exceed") == "nobody promises guardrail"


@pytest.mark.parametrize("type_", ["worker_crash", "worker_hang", "slow_worker", "worker_restart", "rolling_restart"])
def test_a_fault_of_workers_needs_workers(file: TargetFile, type_: str) -> None:
    assert why(file, type_) is None
    assert why(replace(file, workers=None), type_) == "the target file starts no workers"


def test_what_is_inside_is_brought_about_by_the_file_or_a_service(file: TargetFile) -> None:
    assert why(file, "db_lock") == "the target file does not say how it begins (faults: db_lock)"
    assert why(file, "watchdog_crash") == (
        "the target file does not say how it begins (faults: watchdog_crash), and has no service with role: watchdog"
    )
    assert why(file, "db_outage") is None
    begun = replace(file, services=(), faults={"db_lock": FaultActions(None, None, "a.db")})
    assert why(begun, "db_lock") is None
    assert why(begun, "db_outage") is not None
    struck = replace(file, services=(replace(file.services[0], outage="disk_full"),))
    assert why(struck, "disk_full") is None


def test_what_a_fault_names_must_be_there(file: TargetFile) -> None:
    for name in ("redis", "broker", "pg", "database"):
        assert why(file, "service_kill", service=name) is None
    assert why(file, "service_kill", service="cache") == "the target file has no service 'cache'"
    assert why(file, "network_cut", proxy="net") is None
    assert why(file, "network_cut", proxy="other") == "the target file has no proxy 'other'"
    said = "the target file has no proxy in front of 'redis' (proxies:, or faults: connections_kill)"
    assert why(file, "connections_kill", service="redis") == said
    for name in ("redis", "broker"):
        behind = replace(file, proxies=(Proxy("broker", "1"),))
        assert why(behind, "connections_kill", service=name) is None
    own = replace(file, faults={"connections_kill": FaultActions(None, None), "clock_jump": FaultActions(None, None)})
    assert why(own, "connections_kill", service="elsewhere") is None
    assert why(own, "clock_jump", by="1h") is None
    assert why(file, "clock_jump") == "the target file has no clock that could jump (clock: {faketime: …})"
    assert why(replace(file, faketime=60.0), "clock_jump") is None


def test_what_every_system_has_applies(file: TargetFile) -> None:
    bare = replace(file, workers=None, services=(), promises=None)
    assert [why(bare, each) for each in ("transient_error", "permanent_error", "slow_task", "telemetry_loss")] == [
        None
    ] * 4


def names(loaded: Loaded) -> list[str]:
    return [each.name for each in loaded.scenario.faults]


def test_the_scenario_as_run_is_without_them(file: TargetFile) -> None:
    loaded = load(SOAK)
    applying, said = fitted(loaded, file)
    assert list(said) == ["db-lock", "duplicates", "over-budget"]
    assert names(applying) == [each["name"] for each in applying.data["faults"]] == ["transient"]
    assert names(loaded) == ["transient", *said]
    assert applying.overridden
    assert applying.sha256 != loaded.sha256
    # Places are those of the file.
    assert applying.document.problem(("faults", 0, "rate"), "x", "y") == loaded.document.problem(
        ("faults", 0, "rate"), "x", "y"
    )


def test_places_move_with_what_stays(file: TargetFile) -> None:
    promised = replace(file, promises=Promises(frozenset({Promise.GUARDRAIL})))
    loaded = load(SOAK)
    applying, _ = fitted(loaded, promised)
    assert names(applying) == ["transient", "over-budget"]
    assert applying.document.marks["faults", 1, "rate"] == loaded.document.marks["faults", 3, "rate"]
    assert ("faults", 2, "rate") not in applying.document.marks


def test_nothing_changes_where_all_applies(file: TargetFile) -> None:
    applying, _ = fitted(load(SOAK), file)
    assert fitted(applying, file) == (applying, {})


def test_a_service_that_is_misspelled_is_not_left_out(file: TargetFile) -> None:
    loaded = load(SOAK)
    data = loaded.data
    data["faults"] = [{**data["faults"][0], "service": "brokr"}]
    misspelled = dataclasses.replace(loaded, document=dataclasses.replace(loaded.document, data=data))
    with pytest.raises(ScenarioError, match=r"target mine has no service 'brokr' \(did you mean 'broker'\?\)"):
        fitted(misspelled, file)


def test_what_needs_a_fault_that_is_left_out_is_refused_with_its_reason(file: TargetFile, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        f'{SOAK.read_text()}\nslis: {{locked: {{count: "task.retry{{fault=db-lock}}"}}}}\n'
    )
    loaded = load(tmp_path / "s.yaml")
    with pytest.raises(
        ScenarioError, match="without db-lock, duplicates, over-budget, which do not apply to this target: "
    ):
        fitted(loaded, file)


def test_the_target_knows_what_it_left_out(file: TargetFile, tmp_path: Path) -> None:
    target = make_target(str(tmp_path / "target.yaml"))
    applying = target.fit(load(SOAK))  # type: ignore[attr-defined]
    assert list(target.left_out) == ["db-lock", "duplicates", "over-budget"]  # type: ignore[attr-defined]
    assert names(applying) == ["transient"]
