"""How often a condition holds by chance: against enumeration, against runs that the judge's own watch looks at, known cases."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from soak.reports.false_alarms import chance_words, false_alarm_lines
from soak.runner.cautions import cautions
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.timer import Timer
from soak.runner.judge.watch import Watch
from soak.schemas.evidence.false_alarms import LIMIT, FalseAlarm
from soak.schemas.language.expression import Op
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import quantise
from soak.simulation.alarm_cells import Walk, binomial_from, least_bad
from soak.simulation.alarm_chance import chance
from soak.simulation.alarm_remedies import false_alarms
from soak.simulation.false_alarms import Alarm, Rule, Scan, alarms, at_least

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = """\
version: 1
name: chance
system: queue
duration: {duration}
workload: {{arrivals: {arrivals}, task: {{duration: {{distribution: constant, value: 1s}}}}{more}}}
queue: {{workers: 50}}
slos: {slos}
"""


def scenario(
    place: Path,
    conditions: str,
    *,
    slos: str = "[success_rate >= 97%]",
    arrivals: str = "{rate: 5/min}",
    duration: str = "24h",
    more: str = "",
) -> Scenario:
    path = place / "chance.yaml"
    path.write_text(SCENARIO.format(duration=duration, arrivals=arrivals, slos=slos, more=more) + conditions + "\n")
    return load(path).scenario


def abort(when: str, more: str = "") -> str:
    return f'abort: [{{name: a, when: "{when}"{more}}}]'


def scan_of(found: Scenario) -> Scan:
    (alarm,) = alarms(found)
    assert alarm.scan
    return alarm.scan


# Which numbers of bad observations are enough.


@pytest.mark.parametrize(
    ("rule", "n", "least"),
    [
        (Rule(Op.LT, 0.95, True), 20, 2),
        (Rule(Op.LE, 0.95, True), 20, 1),
        (Rule(Op.LT, 0.95, True), 19, 1),
        (Rule(Op.LT, 0.95, True), 40, 3),
        (Rule(Op.GT, 0.1, False), 10, 2),
        (Rule(Op.GE, 0.1, False), 10, 1),
        (Rule(Op.LE, 0.0, True), 3, 3),
        (Rule(Op.LT, 0.0, True), 3, 4),
        (Rule(Op.GT, 10.0, False, 0.95), 20, 2),
        (Rule(Op.GT, 10.0, False, 0.95), 19, 1),
        (Rule(Op.GT, 10.0, False, 0.5), 4, 3),
    ],
)
def test_the_least_number_of_bad_ones(rule: Rule, n: int, least: int) -> None:
    assert rule.least_bad(n) == least
    assert least_bad(rule, 40).tolist()[1:] == [rule.least_bad(each) for each in range(1, 41)]


def test_tails_of_the_binomial_distribution() -> None:
    n = np.arange(9)
    for bad in (0.03, 0.5, 0.9):
        for least in range(4):
            exact = [
                sum(
                    bad ** sum(each) * (1 - bad) ** (count - sum(each))
                    for each in product((0, 1), repeat=count)
                    if sum(each) >= least
                )
                for count in range(9)
            ]
            assert binomial_from(np.full(9, least), n, bad) == pytest.approx(exact, abs=1e-12)


def test_a_walk_is_stopped_where_there_are_enough_bad_ones() -> None:
    walk = Walk(0.25)
    assert walk.stopped(2, 2) == pytest.approx(1 / 16)
    assert walk.stopped(1, 2) == pytest.approx(6 / 16 / 4)
    assert walk.stopped(1, 1) == pytest.approx(27 / 64 * (1 + 1 / 4))


# Against every possible run.


def enumerated(scan: Scan, count: int, *windows: int) -> float:
    """Over all runs of `count` observations, a window holding the last ones: now this many of them, now that many."""
    total = 0.0
    for run in product((0, 1), repeat=count):
        holds = (
            sum(run[max(0, end - window) : end]) >= scan.rule.least_bad(min(window, end))
            for end in range(scan.min_samples, count + 1)
            for window in windows
        )
        if any(holds):
            total += scan.bad ** sum(run) * (1 - scan.bad) ** (count - sum(run))
    return total


REGULAR = "{process: constant, rate: 1/min}"


def test_without_a_window_it_is_exact(tmp_path: Path) -> None:
    found = scenario(tmp_path, abort("success_rate < 80%", ", min_samples: 3"), arrivals=REGULAR, duration="12m")
    scan = scan_of(found)._replace(bad=0.1)
    exact = enumerated(scan, 12, 12)
    assert chance(scan).probability == pytest.approx(exact, abs=1e-9)
    assert at_least(scan) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("bad", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("least", [2, 4])
def test_observations_at_constant_intervals(bad: float, least: int, tmp_path: Path) -> None:
    text = abort("success_rate < 60%", f", window: 4m30s, min_samples: {least}")
    scan = scan_of(scenario(tmp_path, text, arrivals=REGULAR, duration="16m"))._replace(bad=bad)
    # The 16 observations come at 0, 1, …, 15 minutes: a window holds five of them for half a minute, and then four.
    exact = enumerated(scan, 16, 5, 4)
    found = chance(scan, 4000)
    assert at_least(scan) <= exact + 1e-9
    assert found.probability == pytest.approx(exact, abs=4 * found.standard_error + 0.02 * exact)


# Against the judge.


def held(alarm: Alarm, runs: int) -> Iterator[bool]:
    """Of each run, drawn as the computation assumes, whether the judge's watch and timer find that the condition holds."""
    assert alarm.scan
    load_, generator = alarm.scan.load, np.random.default_rng(1)
    total = load_.expected(load_.length_s)
    for _ in range(runs):
        arrivals = np.sort(generator.random(generator.poisson(total))) * total
        bad = generator.random(len(arrivals)) < alarm.scan.bad
        value = np.where(bad, 20.0, 1.0) if alarm.scan.rule.q else 1.0 - bad
        samples = Samples(quantise(load_.rate.time_of(arrivals)), value)
        timer = Timer(alarm.scan.for_s)
        facts = Facts(load_.length_s, True, series={alarm.condition.comparison.sli.series: samples})
        timer.feed(Watch(alarm.condition, None).observe(facts), load_.length_s)
        yield bool(timer.firings)


STEADY, BURSTS = "{rate: 5/min}", "{rate: 3/min, burst: {every: 30m, for: 5m, rate: 15/min}}"


@pytest.mark.parametrize(
    ("condition", "slo", "arrivals", "duration"),
    [
        (abort("success_rate < 90%", ", window: 15m, min_samples: 20"), "success_rate >= 97%", BURSTS, "4h"),
        (abort("success_rate < 90%", ", window: 1h, min_samples: 60"), "success_rate >= 94%", BURSTS, "4h"),
        (abort("success_rate <= 90%", ", window: 10m, min_samples: 10, for: 1m"), "success_rate >= 97%", STEADY, "4h"),
        (abort("success_rate < 92%", ", min_samples: 20"), "success_rate >= 97%", STEADY, "4h"),
        (abort("latency_p95 > 10s", ", window: 20m, min_samples: 80"), "latency_p95 <= 10s", STEADY, "30m"),
    ],
)
def test_the_judge_finds_it_as_often(condition: str, slo: str, arrivals: str, duration: str, tmp_path: Path) -> None:
    found = scenario(tmp_path, condition, slos=f"[{slo}]", arrivals=arrivals, duration=duration)
    (alarm,) = alarms(found)
    assert alarm.scan
    computed, runs = chance(alarm.scan), 400
    share = sum(held(alarm, runs)) / runs
    error = (computed.standard_error**2 + share * (1 - share) / runs) ** 0.5
    assert abs(share - computed.probability) < 4 * error
    assert 0.02 < share < 0.98, "a case that would show nothing"
    assert at_least(alarm.scan) <= computed.probability


@pytest.mark.parametrize(("bad", "low", "high"), [(0.03, 0.9999, 1.0), (0.02, 0.996, 0.9995), (0.01, 0.15, 0.185)])
def test_72_hours_of_the_bundled_scenario(bad: float, low: float, high: float) -> None:
    (alarm,) = alarms(load(ROOT / "scenarios" / "72h.yaml").scenario)
    assert alarm.scan
    assert alarm.scan.bad == pytest.approx(0.03)
    assert low <= chance(alarm.scan._replace(bad=bad)).probability <= high


def test_it_is_deterministic() -> None:
    (alarm,) = alarms(load(ROOT / "scenarios" / "24h.yaml").scenario)
    assert alarm.scan
    assert chance(alarm.scan, 300) == chance(alarm.scan, 300)


# Which conditions.


def described(place: Path, conditions: str, **changes: str) -> list[tuple[str, str, bool, str]]:
    found = alarms(scenario(place, conditions, **changes))
    return [(each.condition.name, each.severity, each.scan is not None, each.reason) for each in found]


def test_conditions_beside_an_objective(tmp_path: Path) -> None:
    conditions = """\
abort:
  - {name: collapse, when: success_rate < 90%, window: 30m}
  - {name: other, when: recovery_rate < 90%}
  - {name: stalled, when: stall_time >= 10m}
  - {name: good, when: success_rate > 99%}
alerts:
  - {name: slow, when: latency_p95 > 10s, window: 30m, severity: warning}
  - {name: slower, when: latency_p95 > 20s, window: 30m, severity: critical}
"""
    slos = "[success_rate >= 97%, latency_p95 <= 10s]"
    unknown = "how many observations lie beyond 20s at the objective is not known"
    assert described(tmp_path, conditions, slos=slos) == [
        ("collapse", "", True, ""),
        ("slow", "warning", True, ""),
        ("slower", "critical", False, unknown),
    ]


def test_of_two_objectives_the_stricter_counts(tmp_path: Path) -> None:
    found = scenario(tmp_path, abort("success_rate < 90%"), slos="[success_rate >= 95%, success_rate ~ 98%]")
    assert scan_of(found).bad == pytest.approx(0.02)
    assert described(tmp_path, abort("success_rate < 90%"), slos="[success_rate == 100%]") == []


def test_a_share_of_tenants_and_a_phase(tmp_path: Path) -> None:
    more = ", tenants: [{name: A, share: 25%}, {name: B, share: 75%}]"
    text = abort("success_rate{tenant=A} < 90%", ", window: 1h") + "\nphases: [{name: late, at: 12h, for: 12h}]"
    scan = scan_of(scenario(tmp_path, text, slos='["success_rate{tenant=A} >= 97%"]', more=more))
    assert scan.load.expected(3600.0) == pytest.approx(75)
    late = text.replace("tenant=A", "phase=late")
    scan = scan_of(scenario(tmp_path, late, slos='["success_rate{phase=late} >= 97%"]', more=more))
    assert (scan.load.start_s, scan.load.length_s) == (43200.0, 43200.0)
    assert described(tmp_path, text, more=more) == []


def test_a_share_of_what_is_not_known_before_a_run(tmp_path: Path) -> None:
    text, slo = abort("recovery_rate < 90%", ", window: 1h"), "recovery_rate >= 97%"
    found = scenario(tmp_path, text, slos=f"[{slo}]")
    (alarm,) = alarms(found)
    assert (alarm.scan, alarm.reason) == (None, "how many observations there are is not known before a run")
    (alarm,) = alarms(found, {slo: 720.0})
    assert alarm.scan
    assert alarm.scan.load.expected(86400.0) == pytest.approx(720)


def test_what_cannot_be_computed_is_not_guessed(tmp_path: Path) -> None:
    text = abort("success_rate < 90%", ", window: 5m, min_samples: 10, for: 20m")
    (found,) = false_alarms(scenario(tmp_path, text))
    assert (found.chance, found.standard_error, found.remedies) == (None, None, [])
    assert found.reason
    (found,) = false_alarms(scenario(tmp_path, abort("success_rate < 90%", ", window: 12h"), arrivals="{rate: 10/s}"))
    assert (found.chance, found.reason) == (None, "a window holds too many observations to compute it")


# Remedies.


def changed(scan: Scan, alarm: FalseAlarm, *, less: float = 1.0) -> Scan:
    (remedy,) = alarm.remedies
    window_s = remedy.window_s * less if remedy.window_s else scan.window_s
    number = remedy.min_samples if remedy.min_samples else scan.min_samples
    return scan._replace(window_s=window_s, min_samples=number)


def test_more_observations_are_enough(tmp_path: Path) -> None:
    found = scenario(
        tmp_path, abort("success_rate < 90%", ", window: 1h, min_samples: 10"), slos="[success_rate >= 99%]"
    )
    (alarm,) = false_alarms(found)
    assert alarm.chance is not None
    assert alarm.chance > LIMIT
    (remedy,) = alarm.remedies
    # Of 19, two bad ones are enough, and come in 1.5 % of runs; of 20 it takes three.
    assert (remedy.window_s, remedy.min_samples) == (None, 20)
    assert chance(changed(scan_of(found), alarm), 4000).probability == pytest.approx(remedy.chance, rel=0.1)


def test_a_longer_window_is_enough(tmp_path: Path) -> None:
    text = abort("success_rate < 95%", ", window: 30m, min_samples: 140")
    found = scenario(tmp_path, text, slos="[success_rate >= 98.5%]")
    (alarm,) = false_alarms(found)
    (remedy,) = alarm.remedies
    assert remedy.min_samples is None
    assert remedy.chance <= LIMIT
    scan = scan_of(found)
    assert chance(changed(scan, alarm), 4000).probability < 1.1 * LIMIT
    assert chance(changed(scan, alarm, less=0.8), 4000).probability > LIMIT


def test_both_are_needed_or_none_is_enough(tmp_path: Path) -> None:
    text = abort("success_rate < 95%", ", window: 30m, min_samples: 20")
    (alarm,) = false_alarms(scenario(tmp_path, text, slos="[success_rate >= 98%]"))
    (remedy,) = alarm.remedies
    assert remedy.window_s
    assert remedy.min_samples
    assert remedy.chance <= LIMIT
    (alarm,) = false_alarms(scenario(tmp_path, text, slos="[success_rate >= 96%]", duration="6h"))
    assert alarm.remedies == []
    *_, last = false_alarm_lines([alarm])
    assert last.strip() == "no window and min_samples within the run make it 1%"


def test_a_rare_one_needs_nothing(tmp_path: Path) -> None:
    (alarm,) = false_alarms(scenario(tmp_path, abort("success_rate < 50%", ", window: 30m, min_samples: 20")))
    assert alarm.chance is not None
    assert 0 < alarm.chance < 1e-6
    assert [line.strip() for line in false_alarm_lines([alarm])][1:] == [
        "a (success_rate < 50%, window: 30m, min_samples: 20): < 0.1% of runs at success_rate >= 97%"
    ]


def test_a_chance_is_rounded_to_neither_end() -> None:
    shown = [chance_words(each) for each in (0.0, 0.00099, 0.0123, 0.391, 0.9971, 0.9999999)]
    assert shown == ["< 0.1%", "< 0.1%", "1.2%", "39%", "99.7%", "> 99.9%"]


# What is warned of.


def test_a_warning_names_the_condition_and_its_place(tmp_path: Path) -> None:
    scenario(tmp_path, abort("success_rate < 95%", ", window: 30m, min_samples: 20"))
    path = tmp_path / "chance.yaml"
    (found,) = cautions(load(path))
    assert (found.where, found.line) == ("abort[0].when", 8)
    assert "a would end at least 99.0% of runs of a system that is exactly at success_rate >= 97%" in found.what
    path.write_text(path.read_text().replace("< 95%", "< 85%"))
    assert cautions(load(path)) == ()


def test_alerts_are_not_warned_of(tmp_path: Path) -> None:
    text = 'alerts: [{name: a, when: "success_rate < 95%", window: 30m, min_samples: 20, severity: warning}]'
    scenario(tmp_path, text)
    assert cautions(load(tmp_path / "chance.yaml")) == ()


def test_a_system_is_not_at_an_objective_in_windows(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_text("""\
version: 1
name: windows
system: queue
duration: 6h
workload: {arrivals: {rate: 30/min}, task: {duration: {distribution: constant, value: 1s}}}
slos: [{objective: success_rate >= 95%, window: 30m}]
alerts: [{name: a, when: success_rate < 90%, window: 5m}]
""")
    assert alarms(load(path).scenario) == ()
