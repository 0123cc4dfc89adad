"""Every scenario we ship does what it says of itself under `x-expect`."""

from pathlib import Path
from typing import Any

import pytest

from soak.runner.api import simulate_scenario
from soak.runner.selftest.truths import truths
from soak.runner.targets.adapters import adapters
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
TRUTHS = ROOT / "scenarios" / "truths"
SCENARIOS = sorted(path for path in (ROOT / "scenarios").rglob("*.yaml") if path.parent != TRUTHS)
FAILURES = {
    "lease-contention",
    "stuck-in-progress",
    "duplicate-dispatch",
    "budget-hard-exceed",
    "db-lock",
    "retry-storm",
}
SEEN_SEVERAL_TIMES = {"db_outage", "disk_full", "port_taken"}
LONG = {"gateway/1h.yaml", "gateway/4h.yaml"}
"""Those with half a million tasks and more: only their first ten minutes are simulated here."""
ABORTS = {"success-collapse", "duplicate-execution", "stalled", "guardrail-leak", "blind"}


def test_there_is_one_for_each_failure_scenario_and_abort_condition() -> None:
    assert {path.stem for path in (ROOT / "scenarios" / "failures").iterdir()} == FAILURES
    assert {path.stem for path in (ROOT / "scenarios" / "aborts").iterdir()} == ABORTS


def test_truths_are_of_real_systems_and_can_be_read() -> None:
    """They say nothing of the model: `soak selftest --foreign` runs them."""
    cases = truths(TRUTHS)
    assert {case.target for case in cases} <= set(adapters())
    for case in cases:
        assert load(case.path, settings=case.settings).scenario.system == "queue"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: str(path.relative_to(ROOT / "scenarios")))
def test_scenario(path: Path) -> None:
    long = path.relative_to(ROOT / "scenarios").as_posix() in LONG
    loaded = load(path, settings=("duration=10m",) if long else ())
    expect: dict[str, Any] = loaded.data.get("x-expect", {"verdict": "PASS"})
    verdict, _ = simulate_scenario(loaded)
    assert verdict.verdict.value == expect["verdict"], verdict.reasons
    assert [abort.name for abort in verdict.aborts if abort.held_at_s is not None] == (
        [expect["abort"]] if "abort" in expect else []
    )
    fired = {alert.name for alert in verdict.alerts if alert.firings}
    assert fired >= set(expect.get("fires", []))
    assert not fired & set(expect.get("silent", []))
    if expect["verdict"] == "PASS":
        assert not verdict.reasons
        assert all(law.status.value == "PASS" for law in verdict.laws)
        assert all(
            fault.seen == fault.injected > 0 or (fault.type in SEEN_SEVERAL_TIMES and fault.seen > 0)
            for fault in verdict.faults
        )


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", ["24h", "72h"])
def test_the_shipped_soaks_pass_with_other_seeds(name: str, seed: int) -> None:
    verdict, _ = simulate_scenario(ROOT / "scenarios" / f"{name}.yaml", settings=[f"seed={seed}"])
    assert verdict.verdict.value == "PASS", verdict.reasons


def test_two_workers_are_too_few() -> None:
    verdict, _ = simulate_scenario(ROOT / "scenarios" / "72h.yaml", settings=["queue.workers=2"])
    assert verdict.verdict.value == "FAIL"
    broken = {objective.sli for objective in verdict.objectives if objective.status.value == "FAIL"}
    assert broken == {"latency_p95"}


@pytest.mark.parametrize("name", sorted(ABORTS))
def test_without_aborting_the_condition_is_a_failure(name: str) -> None:
    from soak.runner.engine import execute, identify
    from soak.runner.targets.simulation import Simulation
    from soak.simulation.plan import Plan

    loaded = load(ROOT / "scenarios" / "aborts" / f"{name}.yaml")
    plan = Plan(loaded.scenario)
    verdict, _ = execute(
        plan, Simulation(), identify(loaded.scenario, loaded.sha256, plan.seed, Simulation(), abort=False)
    )
    assert verdict.end.value == "completed"
    assert verdict.verdict.value == "FAIL"
    assert any(f"abort condition {name} held" in reason for reason in verdict.reasons)
