"""Users who wait for the answer of a call: simulated, and with a real client and dependency."""

from pathlib import Path

from soak.runner.api import simulate_scenario
from soak.runner.engine import execute, identify
from soak.runner.targets.calls.room import ROOM
from soak.runner.targets.calls.target import CallsTarget
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan
from soak.simulation.room import room_of

SCENARIO = """\
version: 1
name: callers
system: calls
duration: 30s
drain: 10s
seed: 3
workload: {{users: {{count: 3, think: {{distribution: constant, value: 700ms}}{more}}}}}
calls:
  policy: [{{timeout: 2s}}]
  dependencies: [{{name: api, latency: {{distribution: constant, value: 300ms}}{limits}}}]
faults: [{{name: broken, type: server_error, rate: 20%}}]
slos: [success_rate >= 10%, lost_tasks == 0]
telemetry: {{sample_interval: 1s, max_lag: 5s}}
"""


def scenario(tmp_path: Path, more: str = "", limits: str = "") -> Loaded:
    path = tmp_path / "callers.yaml"
    path.write_text(SCENARIO.format(more=more, limits=limits))
    return load(path)


def test_a_call_follows_its_answer(tmp_path: Path) -> None:
    """An answer takes 300 ms, an error of the server comes at once: turns are as long as their fates say."""
    loaded = scenario(tmp_path)
    verdict = simulate_scenario(loaded)[0]
    assert verdict.load is not None
    assert verdict.load.planned == verdict.load.offered
    # 90 turns of a second, and some that fail are shorter.
    assert 90 <= verdict.load.planned <= 90 / 0.7
    assert verdict.slis["latency_max"] == 0.3


def test_one_worker_serves_one_user_at_a_time(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, more=", ramp: 1s", limits=", capacity: {workers: 1, waiting: 10}")
    figures = room_of("calls").forecast(Plan(loaded.scenario))
    assert figures.workers == 1
    assert figures.users_most_per_s > figures.expected_per_s > 2.0
    verdict = simulate_scenario(loaded)[0]
    assert verdict.load is not None
    # Constant times wait for each other less than exponential ones do.
    assert figures.expected_tasks < verdict.load.planned <= 30 * figures.users_most_per_s + 3


def test_as_many_calls_at_a_time_as_users(tmp_path: Path) -> None:
    files = next(iter(ROOM.needs(Plan(scenario(tmp_path).scenario))))
    assert files.who == "up to 3 calls at a time"
    impatient = next(iter(ROOM.needs(Plan(scenario(tmp_path, more=", timeout: 1s").scenario))))
    assert impatient.who != files.who


def test_a_real_client_makes_the_calls_of_a_simulation(tmp_path: Path) -> None:
    """The tasks of each user are its first ones without a gap, and those fail that are to."""
    loaded = scenario(tmp_path)
    plan, target = Plan(loaded.scenario), CallsTarget(speed=10.0)
    target.prepare(tmp_path)
    verdict, judge = execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))
    assert verdict.verdict is Outcome.PASS, verdict.reasons
    assert verdict.load is not None
    assert verdict.load.planned == verdict.load.offered
    states = judge.lifecycle.table.states
    accepted = {number for number in range(0, len(states), 2) if states[number]}
    for user in range(3):
        turns = sorted(number // 6 for number in accepted if number // 2 % 3 == user)
        assert turns == list(range(len(turns)))
        assert len(turns) > 8
    simulated = simulate_scenario(loaded, seed=plan.seed)[1]
    failed = [n for n in accepted if simulated.lifecycle.table.states[n] == TaskState.FAILED]
    assert len(failed) > 5
    # Others may fail where the machine is so busy that a call times out.
    assert {int(states[n]) for n in failed} == {int(TaskState.FAILED)}
