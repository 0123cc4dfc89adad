"""The matrix of a self-test: run each trial in a separate process, and report what was found."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.console import remark
from soak.runner.evidence.directory import VERDICT, RunDirectory
from soak.runner.selftest.findings import Finding, findings
from soak.runner.selftest.since import broken_since
from soak.runner.targets.trials import Trial
from soak.schemas.errors import SoakError
from soak.schemas.evidence.verdict import Outcome, ReasonKind, Verdict

MOST_TRIES = 3
"""A run on a machine that was too busy is inconclusive: it is repeated at most this often, unless it was sure of a defect."""

_RAN = {outcome.exit_code for outcome in Outcome}


class TrialResult(Struct, frozen=True):
    """Result of a trial. `as_meant`: the check meant for the defect found it; for a sound system, nothing was found."""

    trial: Trial
    outcome: Outcome
    found: tuple[Finding, ...]
    ended_s: float
    """When the run ended, in seconds of scenario time."""

    machine_was_busy: bool = False
    """Whether the load generator fell behind and nothing was found that must be (see `Trial.status`)."""

    @property
    def as_meant(self) -> bool:
        """Whether the result is as expected."""
        if self.trial.defect is None:
            return not self.found
        return bool(self._meant)

    @property
    def found_after_s(self) -> float | None:
        """When the first check meant for the defect detected it, in seconds of scenario time; None if none did."""
        if self.trial.defect is None:
            return None
        return min((self.ended_s if each.at_s is None else each.at_s for each in self._meant), default=None)

    @property
    def _meant(self) -> list[Finding]:
        meant, status = self.trial.meant, self.trial.status
        return [each for each in self.found if each.check in meant and status in {None, each.status}]


class Bench(Struct, frozen=True):
    """What trials are run with: the target, the environment variable that plants a defect in it, scenarios, speed-up factor."""

    target: str
    variable: str
    scenarios: Path
    speed: float


def run_trials(
    trials: Sequence[Trial], bench: Bench, out: Path, tell: Callable[[TrialResult], None]
) -> list[TrialResult]:
    """Run each trial into a directory under `out`; `tell` is called with each result. Raises SoakError if one cannot run."""
    rows = []
    for number, trial in enumerate(trials, 1):
        name = f"{number:02d}-{trial.defect or 'clean'}-{trial.scenario}"
        rows.append(_run(trial, bench, out / name))
        for again in range(2, MOST_TRIES + 1):
            if not rows[-1].machine_was_busy:
                break
            remark(f"  {trial.name}: the machine was too busy to offer the load in time; repeating")
            rows[-1] = _run(trial, bench, out / f"{name}-{again}")
        tell(rows[-1])
    return rows


def _run(trial: Trial, bench: Bench, out: Path) -> TrialResult:
    scenario, speed = bench.scenarios / f"{trial.scenario}.yaml", trial.speed or bench.speed
    settings = [word for setting in trial.settings for word in ("--set", setting)]
    command = ["run", str(scenario), "--target", bench.target, "--speed", f"{speed:g}", "--out", str(out), *settings]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "soak", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, bench.variable: trial.defect or ""},
    )
    if done.returncode not in _RAN:
        raise SoakError(f"{trial.name}: the run ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    verdict = msgspec.json.decode((out / VERDICT).read_bytes(), type=Verdict)
    since_s = broken_since(RunDirectory.open(out), verdict)
    result = TrialResult(trial, verdict.verdict, tuple(findings(verdict, since_s)), verdict.ended_s)
    busy = fell_behind(verdict) and (trial.defect is None or (trial.status is not None and not result.as_meant))
    return replace(result, machine_was_busy=busy)


def fell_behind(verdict: Verdict) -> bool:
    """Whether a run proves nothing since its load generator fell behind its plan."""
    late = any(reason.kind is ReasonKind.LATENESS for reason in verdict.typed_reasons)
    return late and verdict.verdict is Outcome.INCONCLUSIVE
