"""What can be varied, over which values, and what is said of what cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from soak.runner.limits.parameter import Parameter, find_parameter
from soak.schemas import units
from soak.schemas.errors import UsageError
from soak.schemas.evidence.limits import NumberKind
from soak.schemas.language.load import Loaded, load

SCENARIO = """
version: 1
name: varied
system: queue
duration: 2h
workload:
  arrivals: {rate: 5/min, burst: {every: 1h, for: 5m, rate: 20/min}}
  task: {duration: {distribution: exponential, mean: 1.5s}}
  tenants: [{name: A, share: 0.4}, {name: B, share: 60%}]
queue: {workers: 10, retry: {backoff: [1m, 3m]}}
faults:
  - {name: transient, type: transient_error, rate: 10%}
  - {name: v1.2, type: permanent_error, rate: 0.5%}
slos: [success_rate >= 50%, {objective: latency_p95 <= 10m, min_samples: 20}]
abort: [{name: stalled, when: stall_time >= 10m}]
"""
Find = Callable[..., Parameter]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    path = tmp_path_factory.mktemp("varied") / "varied.yaml"
    path.write_text(SCENARIO)
    return load(path)


@pytest.fixture
def find(loaded: Loaded) -> Find:
    return lambda wish, tolerance=0.02: find_parameter(loaded, wish, tolerance)


def texts(parameter: Parameter) -> list[str]:
    return [parameter.text(parameter.value(point)) for point in range(len(parameter.row))]


@pytest.mark.parametrize(
    ("wish", "kind", "own", "low", "high", "count"),
    [
        ("faults.transient.rate=0%..60%", NumberKind.RATIO, "10%", "0%", "60%", 61),
        ("faults.transient.rate=0.05..0.6", NumberKind.RATIO, "10%", "5%", "60%", 56),
        ("faults.transient.rate", NumberKind.RATIO, "10%", "0%", "60%", 61),
        ("faults.1.rate", NumberKind.RATIO, "0.5%", "0%", "3%", 61),
        ("workload.tenants.A.share=0%..50%", NumberKind.RATIO, "40%", "0%", "50%", 51),
        ("queue.workers=1..20", NumberKind.WHOLE, "10", "1", "20", 20),
        ("queue.workers", NumberKind.WHOLE, "10", "1", "40", 40),
        ("queue.dispatchers", NumberKind.WHOLE, "1", "1", "4", 4),
        ("queue.guardrail.hard_tokens=1..1000000000", NumberKind.WHOLE, "3500", "1", "1000000000", 10**9),
        ("workload.arrivals.rate=1/min..60/min", NumberKind.RATE, "5/min", "1/min", "60/min", 60),
        ("workload.arrivals.rate=60/h..1/s", NumberKind.RATE, "5/min", "1/min", "60/min", 60),
        ("workload.arrivals.rate", NumberKind.RATE, "5/min", "1/min", "25/min", 121),
        ("workload.arrivals.burst.rate", NumberKind.RATE, "20/min", "4/min", "100/min", 97),
        ("workload.task.duration.mean=0.5s..10s", NumberKind.DURATION, "1.5s", "500ms", "10s", 96),
        ("queue.lease.duration=1m..1h", NumberKind.DURATION, "2m", "1m", "1h", 60),
        ("queue.retry.backoff.1=0s..2h30m", NumberKind.DURATION, "3m", "0s", "2h30m", 77),
        ("slos.1.min_samples", NumberKind.WHOLE, "20", "1", "80", 80),
        ("abort.stalled.for=0s..5m", NumberKind.DURATION, "0s", "0s", "5m", 61),
    ],
)
def test_a_number_and_its_values(
    find: Find, wish: str, kind: NumberKind, own: str, low: str, high: str, count: int
) -> None:
    parameter = find(wish)
    assert (parameter.kind, parameter.text(parameter.own), len(parameter.row)) == (kind, own, count)
    assert [parameter.text(parameter.value(end)) for end in (0, -1)] == [low, high]
    assert parameter.given is ("=" in wish)
    assert parameter.own_point is not None
    assert parameter.value(parameter.own_point) == parameter.own


def test_a_factor(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t\n0\n10\n")
    (tmp_path / "varied.yaml").write_text(
        SCENARIO.replace(
            "{rate: 5/min, burst: {every: 1h, for: 5m, rate: 20/min}}", "{trace: {file: t.csv, time: t, scale: 1.5}}"
        )
    )
    scaled = find_parameter(load(tmp_path / "varied.yaml"), "workload.arrivals.trace.scale=0.5..3", 0.2)
    assert scaled.kind is NumberKind.FACTOR
    assert texts(scaled) == ["0.5", "1", "1.5", "2", "2.5", "3"]
    assert scaled.base(scaled.own) == 1.5
    with pytest.raises(UsageError, match=r"'x' is not a factor \(write a range such as 0\.5\.\.4\)"):
        find_parameter(load(tmp_path / "varied.yaml"), "workload.arrivals.trace.scale=x..3", 0.2)


def test_the_values_are_round_and_as_fine_as_asked(find: Find) -> None:
    assert texts(find("faults.transient.rate=0%..60%", 0.2)) == ["0%", "10%", "20%", "30%", "40%", "50%", "60%"]
    assert texts(find("workload.arrivals.rate=1/min..8/min", 0.3)) == [
        "1/min",
        "2/min",
        "4/min",
        "5/min",
        "6/min",
        "8/min",
    ]
    assert texts(find("queue.lease.duration=50s..9m", 0.3)) == ["50s", "2m", "4m", "6m", "8m", "9m"]
    assert texts(find("queue.workers=2..5", 0.5)) == ["2", "3", "4", "5"]
    fine = find("faults.transient.rate=1%..2%", 0.001)
    assert texts(fine)[:3] == ["1%", "1.001%", "1.002%"]
    assert fine.own_point is None


READ = {
    NumberKind.RATIO: units.ratio,
    NumberKind.RATE: units.rate,
    NumberKind.DURATION: units.duration,
    NumberKind.WHOLE: float,
    NumberKind.FACTOR: float,
}


@pytest.mark.parametrize(
    "wish",
    [
        "faults.transient.rate=0%..0.7%",
        "workload.arrivals.rate=0.1/h..3/h",
        "queue.lease.duration=0.5ms..90h",
        "queue.lease.duration=1s..95s",
        "queue.workers=1..30",
    ],
)
def test_what_is_written_is_what_is_meant(find: Find, wish: str) -> None:
    parameter = find(wish, 0.01)
    for point in range(len(parameter.row)):
        value = parameter.value(point)
        assert READ[parameter.kind](parameter.text(value)) == pytest.approx(parameter.base(value), rel=1e-9)
    assert len(set(texts(parameter))) == len(parameter.row)


def test_an_entry_of_a_list_has_one_path(find: Find) -> None:
    assert find("faults.0.rate").path == find("faults.transient.rate").path == "faults.transient.rate"
    assert find("faults.1.rate").path == "faults.1.rate"


@pytest.mark.parametrize(
    ("wish", "what"),
    [
        ("faults.transiet.rate", "the scenario has no such value (did you mean 'faults.transient.rate'?)"),
        ("queue.wokers=1..5", "the scenario has no such value (did you mean 'queue.workers'?)"),
        ("x", "the scenario has no such value (write one of: faults.1.rate, faults.transient.rate, queue.busy_timeout"),
        ("faults.transient", "is not a number (vary one in it: faults.transient.rate)"),
        ("name", "is not a number: a ratio, rate, duration, factor or whole number"),
        ("faults.transient.type", "a ratio, rate, duration, factor or whole number (did you mean 'faults.transient.rate'?)"),
        ("seed=1..5", "does not change what is simulated"),
        ("checkpoints.every", "does not change what is simulated"),
        ("workload.arrivals.brst.rate", "did you mean 'workload.arrivals.burst.rate'?"),
        ("queue.workers=5..2", "5 is not below 2 (write the lower end first)"),
        ("queue.workers=a..2", "'a' is not a whole number (write a range such as 1..20)"),
        ("queue.workers=-1..2", "'-1' is not a whole number"),
        ("queue.workers=4", "'4' is not a range (write a range such as 1..20)"),
        ("queue.workers=", "'' is not a range"),
        ("faults.transient.rate=0..60", "'60' is not a ratio (write a range such as 0%..60%)"),
        ("workload.arrivals.rate=1/min..9", "'9' is not a rate (write a range such as 1/min..60/min)"),
        ("queue.lease.duration=1..2m", "'1' is not a duration (write a range such as 30s..5m)"),
        ("abort.stalled.for", "is 0 in the scenario, which tells no range (add one: =LOW..HIGH, such as 30s..5m)"),
    ],
)  # fmt: skip
def test_what_cannot_be_varied_is_told(find: Find, wish: str, what: str) -> None:
    with pytest.raises(UsageError) as error:
        find(wish)
    assert what in str(error.value)
    assert str(error.value).startswith("--vary ")
    assert error.value.exit_code == 2
