"""When a verdict is known before the end: which objectives can be, what is waited for, and that it is right."""

import sys
from pathlib import Path

import numpy as np
import pytest
from histories import block_of, make_judge, observed, pieces, scenario

from soak.runner.engine import execute, identify
from soak.runner.judge.deciding.grid import Grid
from soak.runner.judge.deciding.measured import Measured
from soak.runner.judge.deciding.waits import Waits
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Samples
from soak.runner.judge.timer import Firing
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.decided import Decided, DecidedObjective
from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.block import Block, Floats, quantise
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

LOAD = """
duration: 4h
workload: {arrivals: {rate: 20/min%s}, task: {duration: {distribution: exponential, mean: 8s}}}
queue: {workers: 6, poll_interval: 1s, watchdog_interval: 10s, lease: {duration: 2m, heartbeat: 30s}}
"""
BURSTS = """workload:
  arrivals: {rate: 1/s, burst: {every: %s, for: 5s, rate: 2/s}}
  task: {duration: {distribution: constant, value: 1s}}
"""


def known(text: str, seed: int = 0) -> Decided:
    """When the verdict on a simulation was known."""
    loaded, target = scenario(text), Simulation()
    found = execute(Plan(loaded, seed), target, identify(loaded, "", seed, target, abort=False))[0].decided
    assert found
    return found


def only(text: str, objective: str) -> DecidedObjective:
    """What was found of one objective."""
    return known(f"{text}\nslos: ['{objective}']").objectives[0]


def test_what_is_far_from_its_target_is_known_early_and_as_what_it_is() -> None:
    assert only(LOAD % "", "success_rate >= 90%").status == "PASS"
    slow = only(LOAD % "", "latency_p95 <= 10s")
    assert (slow.status, slow.bounds and slow.bounds[1] < 0.95) == ("FAIL", True)
    assert slow.at_s is not None and slow.at_s <= 3600
    assert only(LOAD % "", "latency_mean <= 60s").status == "PASS"
    assert only(LOAD % "", "latency_mean <= 5s").status == "FAIL"
    assert only(LOAD % "", "latency_p50 >= 60s").status == "FAIL"
    assert only(LOAD % "", "throughput >= 10/min").status == "PASS"


def test_what_is_at_its_target_is_not_known() -> None:
    found = only(LOAD % "", "latency_p50 <= 6.4s")
    assert (found.status, found.at_s, found.waits) == (None, None, "the bounds include the target")


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("success_rate ~ 90%", "nothing sound can be said before"),
        ("lost_tasks == 0", "it is counted there"),
        ("duplicate_executions == 0", "one observation can break it"),
        ("latency_p95{phase=early} <= 60s", "it is about one phase"),
        ("latency_p95 <= 2x phase=early", "compared with another part"),
    ],
)
def test_what_only_the_end_decides_says_so(objective: str, words: str) -> None:
    found = only(f"{LOAD % ''}\nphases: [{{name: early, at: 0s, for: 1h}}]", objective)
    assert found.only_at_end and found.at_s is None
    assert words in found.waits


def test_a_count_of_nothing_says_which_rate_is_excluded() -> None:
    found = only(LOAD % "", "duplicate_executions == 0")
    # -ln 0.05 in four hours.
    assert found.waits.endswith("fewer than 0.75 per hour with 95 %")


def test_one_observation_fails_a_limit_and_decides_the_run_there() -> None:
    text = "slos: [retries <= 1, success_rate >= 50%]\nslis: {retries: {count: task.retry}}"
    history = "\n".join(
        f"{t} enqueued {t}\n{t + 1} dispatched {t}\n{t + 2} retry {t} due={t + 9}" for t in (10, 20, 30)
    )
    judge = make_judge(text)
    observed(judge, [block_of(history, judge.vocabulary)])
    assert judge.deciding.failed_s == judge.deciding.known_s == 22
    found = judge.deciding.result(40, stopped=False)
    assert found and (found.status, found.at_s, found.objectives[0].status) == ("FAIL", 22, "FAIL")


def test_an_interval_fails_its_limit_when_it_has_lasted_that_long() -> None:
    for objective, at_s in (("stall_time <= 1m", 65.000001), ("stall_time < 1m", 65.0)):
        judge = make_judge(f"slos: [{objective}]")
        observed(judge, [block_of("5 enqueued 1\n7 queue_depth 1\n99 queue_depth 1", judge.vocabulary)])
        assert judge.deciding.failed_s == at_s


def test_it_is_looked_after_whole_cycles_and_not_before_eight() -> None:
    grid = Grid.of(scenario(f"duration: 72h\n{BURSTS % '1h'}"))
    assert (grid.step_s, grid.cycle_s, grid.count, grid.least) == (3600, 3600, 72, 9)
    assert [*grid.looks()][:10] == [9, 10, 11, 12, 13, 14, 15, 16, 18, 20]
    often = Grid.of(scenario(f"duration: 72h\n{BURSTS % '1m'}"))
    assert (often.step_s, often.cycle_s) == (17 * 60, 60)


def test_faults_that_recur_are_cycles_and_others_are_waited_for() -> None:
    recurring = "faults: [{name: crash, type: dispatcher_crash, at: 5m, every: %s, for: 10s}]"
    grid = Grid.of(scenario(f"duration: 6h\n{recurring % '30m'}"))
    assert (grid.cycle_s, grid.once) == (1800, ())
    rare = Grid.of(scenario(f"duration: 6h\n{recurring % '2h'}"))
    assert (rare.cycle_s, len(rare.once)) == (0, 3)
    assert not rare.usual()[[int(300 // rare.step_s), int(14_700 // rare.step_s)]].any()
    late = known(
        f"{LOAD % ''}\nslos: [success_rate >= 50%]\nfaults: [{{name: late, type: dispatcher_crash, at: 3h, for: 10s}}]"
    )
    assert late.at_s is not None and late.at_s > 3 * 3600
    assert late.objectives[0].at_s is not None and late.objectives[0].at_s < 2 * 3600


def test_intervals_that_fit_into_nothing_common_leave_nothing_to_look_at() -> None:
    every = ("10m0.007s", "11m0.013s", "12m0.017s", "13m0.019s")
    faults = [
        f"{{name: f{place}, type: dispatcher_crash, every: {each}, for: 10s}}" for place, each in enumerate(every)
    ]
    known(f"{LOAD % ''}\nslos: [success_rate >= 50%]\nfaults: [{', '.join(faults)}]")
    grid = Grid.of(scenario(f"{LOAD % ''}\nfaults: [{', '.join(faults)}]"))
    assert (grid.count, [*grid.looks()], grid.step_of(np.array([1.0, 9999.0])).tolist()) == (0, [], [0, 0])


USERS = """duration: 6h
workload:
  users: {%s, think: {distribution: exponential, mean: 30s}}
  task: {duration: {distribution: constant, value: 1s}}
"""


def test_users_whose_number_is_still_to_change_leave_the_verdict_open() -> None:
    more, ramp = "count: 5, stages: [{for: 5h}, {count: 200, for: 1h}]", "count: 5, ramp: 10m"
    for users, warmup, looked in (
        ("count: 5", "0s", True),
        (ramp, "10m", True),
        (ramp, "0s", False),
        (more, "0s", False),
    ):
        grid = Grid.of(scenario(f"warmup: {warmup}\n{USERS % users}"))
        assert bool([*grid.looks()]) is looked


def test_cycles_without_a_common_multiple_in_the_run_are_never_looked_at() -> None:
    bursts = ", burst: {every: 31m, for: 5m, rate: 30/min}"
    crash = "faults: [{name: crash, type: dispatcher_crash, at: 5m, every: 29m, for: 10s}]"
    found = known(f"{LOAD % bursts}\n{crash}\nslos: [success_rate >= 50%]")
    assert found.at_s is None
    assert found.cycle_s == 29 * 31 * 60


def test_alerts_and_phases_are_waited_for() -> None:
    alert = "alerts: [{name: deep, when: queue_depth >= 1000, severity: info, expect: {fires_within: 1h}}]"
    found = known(f"{LOAD % ''}\n{alert}\nslos: [success_rate >= 50%]")
    assert (found.at_s, found.waits) == (None, ["alert deep: fires within 1h of the start"])
    phased = known(f"{LOAD % ''}\nphases: [{{name: all, at: 0s, for: 4h}}]\nslos: [success_rate >= 50%]")
    assert phased.at_s is None or phased.at_s >= 4 * 3600


def test_what_fails_in_one_phase_may_hold_in_the_end() -> None:
    phases = "phases: [{name: first, at: 0s, for: 3h}]"
    found = known(f"{LOAD % ''}\n{phases}\nslos: [latency_p95 <= 10s]")
    assert found.status == "FAIL"
    assert found.at_s is not None and found.at_s >= 3 * 3600


def test_it_does_not_depend_on_where_blocks_end() -> None:
    text = f"{LOAD % ''}\nslos: [success_rate >= 90%, latency_p95 <= 30s, latency_mean <= 20s, throughput >= 10/min]"
    loaded = scenario(text)
    plan = Plan(loaded)
    whole = [*simulate(plan)]
    draw = np.random.default_rng(5)

    def found(blocks: list[Block]) -> Decided | None:
        judge = Judge(loaded, plan.vocabulary)
        for block in blocks:
            for _ in judge.observe(block):
                pass
        return judge.deciding.result(judge.until_s, stopped=False)

    cut = [piece for block in whole for piece in pieces(block, draw.integers(0, len(block), 40).tolist())]
    assert found(whole) == found(cut)
    assert found(whole) is not None


def test_runs_at_the_boundary_are_seldom_decided() -> None:
    from coverage_decided import decision, fixed, queue

    made = [*queue(60, 3_000, 0.7, 0.95)]
    assert sum(decision(grid, series, truth, 0.95) is not None for grid, series, truth in made) <= 4
    assert sum(fixed(grid, series, truth, 0.95) is not None for grid, series, truth in made) >= 50
    clear = [decision(grid, series, truth * 3, 0.95) for grid, series, truth in queue(8, 27_000, 0.7, 0.95)]
    assert all(each is not None and each[0] is Status.PASS for each in clear)


def looked_at(target: float, q: float, values: Floats) -> str:
    """Why nothing is decided of a quantile after an hour, of values at equal distances."""
    from coverage_decided import comparison_of, steady

    grid = steady(3600)
    measured = Measured(comparison_of(target, q), target, 1, grid)
    t_s = quantise(np.linspace(0, 3599, len(values)))
    measured.observe(Samples(t_s, values), Samples(np.empty(0), np.empty(0)))
    return measured.look(grid.count, 0.05).why


def test_observations_that_repeat_each_other_are_few() -> None:
    draw = np.random.default_rng(7)
    alone = draw.exponential(1.0, 3000)
    assert looked_at(5.0, 0.5, alone) == ""
    # Thirty values, each of them seen a hundred times in a row.
    said = looked_at(5.0, 0.5, np.repeat(draw.exponential(1.0, 30), 100))
    assert said.startswith("3000 observations are worth only ")
    assert int(said.split()[-3]) < 60


def test_what_is_rare_needs_observations_enough_to_happen() -> None:
    assert looked_at(9.0, 0.99, np.full(3000, 1.0)) == ""
    said = "fewer than 10 independent observations are expected beyond the target"
    assert looked_at(9.0, 0.99, np.full(900, 1.0)) == said


def test_an_alert_is_as_it_was_then() -> None:
    alert = "alerts: [{name: deep, when: queue_depth >= 1, severity: info, expect: {fires_within: 1h}}]"
    made = scenario(f"{LOAD % ''}\n{alert}")
    waits, firings = Waits(made, Vocabulary(), Grid.of(made)), [Firing(1800.0, 1.0)]
    assert [*waits.at(1799.0, [(made.alerts[0], firings)])] == ["alert deep: fires within 1h of the start"]
    assert not [*waits.at(1801.0, [(made.alerts[0], firings)])]
