"""Runs that pytest asks for: one for all tests that ask for the same, also of several processes; and the cases of a scenario."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

from soak.runner.api import load, open_run, run
from soak.runner.engine import identify
from soak.runner.evidence.directory import RunDirectory
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.junit import Check, verdict_checks
from soak.runner.opened import Run
from soak.runner.targets.make import SIMULATION
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import SoakError
from soak.schemas.evidence.verdict import End, Outcome, Status, Verdict
from soak.schemas.files import file_name
from soak.simulation.plan import Plan

_GROUPS = {
    "objectives": "objective",
    "laws": "law",
    "alerts": "alert",
    "faults": "fault",
    "aborts": "abort",
    "verdict": "verdict",
}


class Wanted(Struct, frozen=True):
    """The run that a test asks for: the options of `soak.run`."""

    path: Path
    tier: str | None = None
    seed: int | None = None
    target: str = SIMULATION
    settings: Mapping[str, object] = field(default_factory=dict)
    overlays: tuple[str, ...] = ()
    target_options: Mapping[str, str] = field(default_factory=dict)
    speed: float | None = None
    patience_s: float | None = None

    @property
    def key(self) -> str:
        """A name for it, the same in every process."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What its run directory is called."""
        tier = "" if self.tier is None else f"-{self.tier}"
        return file_name(Path(f"{self.path.stem}{tier}"))


def case_names(wanted: Wanted) -> list[str]:
    """What a run of the scenario will be judged by, without a run: the checks of a verdict on no events. Raises SoakError."""
    loaded = load(wanted.path, tier=wanted.tier, overlays=wanted.overlays, settings=wanted.settings, seed=wanted.seed)
    plan, target = Plan(loaded.scenario.judged(simulated=wanted.target == SIMULATION)), Simulation()
    identity = identify(plan.scenario, loaded.sha256, plan.seed, target, abort=True)
    nothing = decide(Judge.of(plan.scenario, plan.vocabulary, identity), identity, End.CUT)
    return list(cases_of(nothing))


def cases_of(verdict: Verdict) -> dict[str, Check]:
    """The checks of a verdict by the name of their test, such as `objective success_rate >= 97%`; the last is `verdict`."""
    cases: dict[str, Check] = {}
    for check in verdict_checks(verdict):
        word = _GROUPS[check.group]
        name = word if check.group == "verdict" else f"{word} {check.name}"
        same = sum(each == name or each.startswith(f"{name} #") for each in cases)
        cases[f"{name} #{same + 1}" if same else name] = check
    return cases


def reason_of(verdict: Verdict, check: Check) -> str:
    """Why a check did not pass: what the verdict's reasons say of it, or else its own detail."""
    subject = check.name.partition(": ")[0] if check.group == "aborts" else check.name
    kind = _GROUPS[check.group]
    told = [each.text for each in verdict.typed_reasons if each.kind.value == kind and each.subject == subject]
    if told and check.status is Status.INCONCLUSIVE and verdict.verdict is not Outcome.INCONCLUSIVE:
        return "; ".join(told)  # beside failures, doubts are called so
    return f"{check.status.value}: {'; '.join(told) or check.detail or 'see the report'}"


def run_once(wanted: Wanted, shared: Path, out: Path, on_remark: Callable[[str], None]) -> Run:
    """The run, made by the first process that asks; others wait for it. `shared`: a folder of this session of pytest.

    out: the folder for run directories. Raises SoakError, also for a run that failed before.
    """
    shared.mkdir(parents=True, exist_ok=True)
    note = shared / f"{wanted.key}.json"
    with _alone(shared / f"{wanted.key}.lock"):
        if not note.exists():
            note.write_text(json.dumps(_made(wanted, out, on_remark)), encoding="utf-8")
        told: dict[str, str] = json.loads(note.read_text(encoding="utf-8"))
    if "error" in told:
        raise SoakError(told["error"])
    return open_run(told["run"])


def _made(wanted: Wanted, out: Path, on_remark: Callable[[str], None]) -> dict[str, str]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        directory = RunDirectory.numbered(out.resolve() / wanted.name).path
        made = run(
            wanted.path,
            target=wanted.target,
            speed=wanted.speed,
            patience_s=wanted.patience_s,
            target_options=wanted.target_options,
            tier=wanted.tier,
            overlays=wanted.overlays,
            settings=wanted.settings,
            seed=wanted.seed,
            out=directory,
            on_remark=on_remark,
        )
    except SoakError as error:
        return {"error": str(error)}
    return {"run": str(made.path)}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Context in which no other process is; one that dies in it lets the next one in."""
    with path.open("ab") as file:
        with contextlib.suppress(ImportError):  # without locks (Windows) each process may make a run of its own
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
        os.fsync(file.fileno())
