"""A client and its dependencies for real: what is refused, and which mistakes of a client are found by what."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
from broken_systems import ThreadSystem
from calls import PRIMARY, calls_scenario
from histories import scenario
from memory_queue import MemoryQueue
from msgspec.structs import replace

from soak.runner.cli import run_command
from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.preflight import check_machine
from soak.runner.targets.calls.policies import Policies
from soak.runner.targets.calls.request import Handler, Request
from soak.runner.targets.calls.room import calls_under_way
from soak.runner.targets.calls.target import CallsTarget
from soak.runner.targets.calls.wire import Seen, Wire
from soak.runner.targets.history import History
from soak.runner.targets.make import make_target
from soak.runner.targets.queue.orchestrator.target import Orchestrator
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome, Verdict
from soak.schemas.language.load import Loaded
from soak.schemas.systems.calls.settings import CircuitBreaker, Policy, Retry, calls_of
from soak.simulation.calls.outcome import CallError
from soak.simulation.plan import Plan

SPEED = 5.0
RETRY = "{retry: {max_attempts: 3, backoff: {initial: 100ms}}}"
TIMEOUT = "{timeout: 4s}"


def run(loaded: Loaded, directory: Path, make_chain: Callable[..., Policies] = Policies) -> tuple[Verdict, Judge]:
    """A real run of a scenario."""
    target = CallsTarget(SPEED, make_chain)
    target.admit(loaded.scenario)
    out = directory / "run"
    out.mkdir()
    target.prepare(out)
    plan = Plan(loaded.scenario)
    return execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))


def law(verdict: Verdict, name: str) -> str:
    return next(each.status.value for each in verdict.laws if each.law == name)


# Clients with a mistake.


class Hasty(Policies):
    """Pays no heed to Retry-After."""

    async def _retry(self, policy: Retry, inner: Handler, request: Request, deadline: float) -> None:
        async def deaf(request: Request, deadline: float) -> None:
            try:
                await inner(request, deadline)
            except CallError as failed:
                raise CallError(failed.error, failed.cause) from None

        await super()._retry(policy, deaf, request, deadline)


class Stubborn(Policies):
    """Tries once too often."""

    def wrap(self, policy: Policy, inner: Handler) -> Handler:
        more = replace(policy, max_attempts=policy.max_attempts + 1) if isinstance(policy, Retry) else policy
        return super().wrap(more, inner)


class Fused(Policies):
    """Its circuit breaker never opens."""

    def wrap(self, policy: Policy, inner: Handler) -> Handler:
        return inner if isinstance(policy, CircuitBreaker) else super().wrap(policy, inner)


class Liar(Policies):
    """Says that all is well whatever came."""

    def __init__(self, *what: object) -> None:
        super().__init__(*what)  # type: ignore[arg-type]
        self.handle = partial(self._well, self.handle)

    async def _well(self, inner: Handler, request: Request, deadline: float) -> None:
        try:
            await inner(request, deadline)
        except CallError:
            return


THROTTLED = "{name: throttled, type: rate_limited, rate: 50%, retry_after: 2s}"
BROKEN = "{name: broken, type: server_error, rate: 100%}"


@pytest.mark.parametrize(("client", "outcome"), [(Policies, Outcome.PASS), (Hasty, Outcome.FAIL)])
def test_a_client_that_comes_before_retry_after(client: type[Policies], outcome: Outcome, tmp_path: Path) -> None:
    loaded = calls_scenario(tmp_path, policy=RETRY, faults=THROTTLED, slos="backoff_violations == 0")
    verdict, _ = run(loaded, tmp_path, client)
    assert (verdict.verdict, bool(verdict.slis["backoff_violations"])) == (outcome, outcome is Outcome.FAIL)


def test_another_dependency_may_be_called_before_retry_after(tmp_path: Path) -> None:
    second = PRIMARY.replace("primary", "second")
    policy = "{fallback: {to: second}}"
    loaded = calls_scenario(
        tmp_path, dependencies=f"{PRIMARY}\n{second}", policy=policy, faults=THROTTLED, slos="backoff_violations == 0"
    )
    verdict, _ = run(loaded, tmp_path)
    assert (verdict.verdict, verdict.tasks["DONE"]) == (Outcome.PASS, 10)


@pytest.mark.parametrize(("client", "calls", "outcome"), [(Policies, 30, Outcome.PASS), (Stubborn, 40, Outcome.FAIL)])
def test_a_client_that_tries_once_too_often(
    client: type[Policies], calls: int, outcome: Outcome, tmp_path: Path
) -> None:
    loaded = calls_scenario(tmp_path, policy=RETRY, faults=BROKEN, slos="calls <= 30")
    verdict, _ = run(loaded, tmp_path, client)
    assert (verdict.verdict, verdict.slis["calls"]) == (outcome, calls)
    assert verdict.faults[0].injected == verdict.faults[0].seen == calls


@pytest.mark.parametrize(("client", "outcome"), [(Policies, Outcome.PASS), (Fused, Outcome.FAIL)])
def test_a_breaker_that_never_opens(client: type[Policies], outcome: Outcome, tmp_path: Path) -> None:
    policy = "{circuit_breaker: {failures: 3, open_for: 50s}}"
    loaded = calls_scenario(tmp_path, policy=policy, faults=BROKEN, slos="circuit_openings == 1")
    verdict, _ = run(loaded, tmp_path, client)
    assert (verdict.verdict, verdict.slis["circuit_openings"]) == (outcome, outcome is Outcome.PASS)


def test_a_client_that_says_all_is_well(tmp_path: Path) -> None:
    loaded = calls_scenario(tmp_path, policy=RETRY, faults=BROKEN)
    verdict, _ = run(loaded, tmp_path, Liar)
    assert (verdict.verdict, law(verdict, "answers"), verdict.tasks["DONE"]) == (Outcome.FAIL, "FAIL", 10)


def test_an_answer_that_no_dependency_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def invent(*_: object) -> Seen:
        return Seen()

    monkeypatch.setattr(Wire, "_get", invent)
    verdict, judge = run(calls_scenario(tmp_path), tmp_path)
    assert (verdict.verdict, law(verdict, "answers")) == (Outcome.FAIL, "FAIL")
    assert "unconfirmed" in {cause.error for cause in judge.vocabulary.causes}


def test_a_fault_that_does_not_take_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.runner.targets.calls.dependencies.Program.refusing_url", property(lambda self: self.url))
    refused = "{name: refused, type: connection_error, rate: 50%}"
    verdict, _ = run(calls_scenario(tmp_path, faults=refused), tmp_path)
    (fault,) = verdict.faults
    assert (verdict.verdict, fault.injected, fault.seen) == (Outcome.INCONCLUSIVE, 0, 0)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    return {each.pid for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE}


def test_a_client_that_breaks_off(tmp_path: Path) -> None:
    class Broken(Policies):
        def wrap(self, policy: Policy, inner: Handler) -> Handler:
            async def handle(request: Request, deadline: float) -> None:
                raise ZeroDivisionError

            return handle

    before = children()
    with pytest.raises(BrokenOffError) as broken:
        run(calls_scenario(tmp_path, policy=TIMEOUT), tmp_path, Broken)
    assert isinstance(broken.value.__cause__, ZeroDivisionError)
    assert children() <= before


def test_an_abort_ends_every_process(tmp_path: Path) -> None:
    slos = "success_rate >= 0%]\nabort: [{name: collapse, when: success_rate < 50%, window: 5s, min_samples: 10}"
    before = children()
    verdict, _ = run(calls_scenario(tmp_path, tasks=400, policy=RETRY, faults=BROKEN, slos=slos), tmp_path)
    assert verdict.verdict is Outcome.ABORTED
    assert verdict.ended_s < 40
    assert children() <= before


def test_a_dependency_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[int] = []
    call = Wire.call

    async def kill_first(self: Wire, request: Request, *more: object) -> None:
        if request.number == 4 and not died:
            died.extend(self._program.processes().values())
            psutil.Process(died[0]).kill()
        await call(self, request, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Wire, "call", kill_first)
    policy = "{retry: {max_attempts: 20, backoff: {initial: 1s, factor: 1}}}"
    loaded = calls_scenario(tmp_path, tasks=100, policy=policy)
    verdict, judge = run(loaded, tmp_path)
    assert (verdict.verdict, verdict.tasks["DONE"]) == (Outcome.PASS, 100)
    assert verdict.slis["heal_time_max"] is not None
    assert "died" in {cause.error for cause in judge.vocabulary.causes}


# What is refused.


def attached(name: str) -> object:
    return QueueAdapter(name, MemoryQueue) if name == "queue" else SystemAdapter(name, ThreadSystem)


@pytest.mark.parametrize("target", [Orchestrator(), attached("queue"), attached("system")])
def test_other_targets_refuse_calls(target: CallsTarget, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"runs system: queue only, .* has system: calls \(run it with --target calls\)"
    ):
        target.admit(calls_scenario(tmp_path).scenario)


def test_it_refuses_a_queue() -> None:
    with pytest.raises(UsageError, match=r"calls runs system: calls only, .*\(run it with --target orchestrator"):
        make_target("calls").admit(scenario())  # type: ignore[attr-defined]


def test_its_former_name_is_accepted_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_target("stub").name == "calls"
    queue = Path(__file__).resolve().parents[3] / "scenarios" / "selftest" / "steady.yaml"
    for name in ("stub", "calls"):
        assert run_command(["run", str(queue), "--target", name, "--out", str(tmp_path / "run")]) == 2
        said = capsys.readouterr().err
        assert "target calls runs system: calls only" in said
        assert ("note: the target stub is now called calls (write --target calls)" in said) == (name == "stub")


def test_evidence_with_its_former_name_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Simulation, "name", "stub")
    calls_scenario(tmp_path)
    out = tmp_path / "out"
    assert run_command(["run", str(tmp_path / "small.yaml"), "--out", str(out)]) == 0
    assert json.loads((out / "run_manifest.json").read_text())["target"] == "stub"
    for command in ("verify", "report", "verify"):
        assert run_command([command, str(out)]) == 0, capsys.readouterr()


def test_it_does_not_go_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be resumed"):
        CallsTarget().admit(calls_scenario(tmp_path).scenario, resumed=True)
    with pytest.raises(UsageError, match="cannot be resumed"):
        CallsTarget().prepare(tmp_path, History())


def test_it_says_which_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "purgatory", None)
    with pytest.raises(
        UsageError, match=r"needs purgatory, which is not installed \(in a checkout: pip install '\.\[calls\]'\)"
    ):
        CallsTarget().admit(calls_scenario(tmp_path).scenario)


@pytest.mark.parametrize(
    ("parts", "speed", "complaint"),
    [
        ({"policy": TIMEOUT}, 1000.0, r"a timeout lasts 4 ms.*\(use --speed 400 at most\)"),
        ({"policy": "{rate_limit: {rate: 0/s}}"}, 1.0, "lets nothing through"),
        ({"dependencies": PRIMARY[:-1] + ", memory: 1MB}"}, 1.0, "below 16MB"),
        ({"dependencies": PRIMARY[:-1] + ", memory: 900TB}"}, 1.0, "MiB are free"),
        ({"dependencies": PRIMARY[:-1] + ", capacity: {workers: 5000}}"}, 1.0, "5,000 workers, each a thread"),
    ],
)
def test_it_refuses_what_it_cannot_make_real(
    parts: dict[str, str], speed: float, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=complaint):
        CallsTarget(speed).admit(calls_scenario(tmp_path, **parts).scenario)  # type: ignore[arg-type]


# Before it begins.


def test_a_client_needs_files_for_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = f"{TIMEOUT}, {{retry: {{max_attempts: 3}}}}, {{fallback: {{to: primary}}}}"
    plan = Plan(calls_scenario(tmp_path, policy=policy).scenario)
    assert calls_under_way(calls_of(plan.scenario), 10.0) == 10 * 4 * (3 + 1) + 1
    check_machine(plan, tmp_path)
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 100))
    with pytest.raises(UsageError, match="100 open files are allowed, and up to 161 calls at a time need 233"):
        check_machine(plan, tmp_path)


def test_dependencies_need_threads_for_their_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PRIMARY[:-1] + ", capacity: {workers: 200}}"
    plan = Plan(calls_scenario(tmp_path, dependencies=text, policy="{timeout: 100ms}").scenario)
    monkeypatch.setattr("resource.getrlimit", lambda _: (200, 200))
    with pytest.raises(UsageError, match="processes and threads are allowed, and 200 workers of dependencies need 266"):
        check_machine(plan, tmp_path)
