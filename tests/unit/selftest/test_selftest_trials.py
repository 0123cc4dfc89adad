"""The self-test's plan: every planted defect has a trial, and the checks meant for it stand in its scenario."""

from pathlib import Path

import pytest
from histories import verdict

from soak.runner.judge.checks.expected import objective_texts
from soak.runner.selftest import matrix
from soak.runner.selftest.findings import Finding, findings
from soak.runner.selftest.matrix import Bench, TrialResult
from soak.runner.targets.room import trials_of
from soak.runner.targets.trials import Trial
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.load import load
from soak.systems.gateway import defects as gateway
from soak.systems.orchestrator.defects import VARIABLE, Defect
from soak.systems.pipeline import defects as pipeline

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios" / "selftest"
LAWS = {
    "queue": ("conservation", "legal_transitions", "ledger_agreement", "littles_law"),
    "pipeline": ("records", "restarts", "processes", "logs", "resources"),
    "gateway": (),
}
PLANTED = {
    "orchestrator": (VARIABLE, Defect),
    "pipeline": (pipeline.VARIABLE, pipeline.Defect),
    "gateway": (gateway.VARIABLE, gateway.Defect),
    "gateway-postgres": (gateway.VARIABLE, gateway.Defect),
}
ALL = [trial for target in PLANTED for trial in (*trials_of(target).planted, *trials_of(target).clean)]


def test_every_defect_has_one_trial() -> None:
    for target, (variable, defects) in PLANTED.items():
        trials = trials_of(target)
        assert trials.variable == variable
        assert sorted(trial.defect or "" for trial in trials.planted) == sorted(defects)


def test_every_target_with_trials_is_looked_at_here() -> None:
    with pytest.raises(UsageError, match=" or ".join(PLANTED)):
        trials_of("calls")


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: trial.name)
def test_the_checks_that_are_meant_stand_in_the_scenario(trial: Trial) -> None:
    scenario = load(SCENARIOS / f"{trial.scenario}.yaml", settings=trial.settings).scenario
    known = {
        *(f"objective {objective.comparison.text}" for objective in scenario.objectives),
        *(f"objective {text}" for text in objective_texts(scenario.checks)),
        *(f"fault {fault.name}" for fault in scenario.faults),
        *(f"law {law}" for law in LAWS[scenario.system]),
        "doubt",
    }
    assert set(trial.meant) <= known
    assert bool(trial.meant) is (trial.defect is not None)


@pytest.mark.parametrize(("busy", "tries"), [(0, 1), (1, 2), (9, matrix.MOST_TRIES)])
def test_a_clean_run_on_a_busy_machine_is_made_again(monkeypatch: pytest.MonkeyPatch, busy: int, tries: int) -> None:
    places: list[Path] = []

    def run(trial: Trial, bench: Bench, out: Path) -> TrialResult:
        places.append(out)
        return TrialResult(trial, Outcome.PASS, (), 9, machine_was_busy=len(places) <= busy)

    monkeypatch.setattr(matrix, "_run", run)
    [row] = matrix.run_trials(
        [Trial(None, "steady")], Bench("orchestrator", "X", Path(), 60), Path("out"), lambda _: None
    )
    assert len(set(places)) == len(places) == tries
    assert row.machine_was_busy is (busy >= matrix.MOST_TRIES)


def test_a_target_without_planted_defects_has_no_trials() -> None:
    with pytest.raises(UsageError, match="target calls has no planted defects"):
        trials_of("calls")


FAILED = "0 enqueued 1\n1 dispatched 1\n1 started 1\n2 ended 1\n2 failed 1\n9 census failed=1"


def test_findings_name_what_was_not_passed() -> None:
    found = findings(verdict(FAILED, "slos: [success_rate >= 50%, latency_p95 <= 1h]", until=9))
    assert [(each.check, each.status) for each in found] == [("objective success_rate >= 50%", "FAIL")]


def test_a_trial_comes_out_as_meant_when_the_check_meant_for_it_finds_it() -> None:
    found = tuple(findings(verdict(FAILED, "slos: [success_rate >= 50%]", until=9)))
    meant = Trial(Defect.BACKOFF_IGNORED, "steady", ("objective success_rate >= 50%",))
    other = Trial(Defect.BACKOFF_IGNORED, "steady", ("objective latency_p95 <= 1h",))
    assert TrialResult(meant, Outcome.FAIL, found, 9).as_meant
    assert not TrialResult(other, Outcome.FAIL, found, 9).as_meant
    assert not TrialResult(Trial(None, "steady"), Outcome.FAIL, found, 9).as_meant
    assert TrialResult(Trial(None, "steady"), Outcome.PASS, (), 9).as_meant


@pytest.mark.parametrize(("status", "as_meant"), [(None, True), (Status.FAIL, False), (Status.INCONCLUSIVE, True)])
def test_a_check_that_was_disturbed_finds_nothing_where_a_status_is_asked_for(
    status: Status | None, as_meant: bool
) -> None:
    trial = Trial("any", "steady", ("objective success_rate >= 50%",), status=status)
    found = (Finding("objective success_rate >= 50%", "INCONCLUSIVE"),)
    assert TrialResult(trial, Outcome.INCONCLUSIVE, found, 9).as_meant is as_meant
