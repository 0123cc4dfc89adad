"""Arrivals by stages, profiles, bursts, batches and at set times: one rate function whose integral is the expected count."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from soak.schemas.language.clock import Clock
from soak.schemas.language.distributions import Constant
from soak.schemas.language.load import load
from soak.schemas.language.model import Exactly, Process, Scenario, Workload
from soak.schemas.language.shapes import Data, base_rate, batch_of, scheduled_of, shape_of, total
from soak.simulation.arrivals import arrivals
from soak.simulation.rate import rate_of

HOUR_S, DAY_S = 3600.0, 86_400.0
LENGTH_S = 4 * HOUR_S
BERLIN = Clock(datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin"))


def workload_of(
    data: Data, length_s: float = LENGTH_S, clock: Clock = BERLIN, process: Process = Process.POISSON
) -> Workload:
    """The workload that arrivals describe."""
    shape = shape_of(data, length_s, clock)
    return Workload(
        process,
        total(shape.pieces) / length_s if shape else base_rate(data, length_s),
        None,
        Constant(1.0),
        (),
        shape=shape,
        batch=batch_of(data),
        exactly=Exactly(data["count"], length_s) if "count" in data else None,
        scheduled=tuple(scheduled_of(each, length_s, clock) for each in data.get("scheduled", ())),
    )


def due(workload: Workload, seed: int = 1, until_s: float = LENGTH_S) -> np.ndarray:
    """When its arrivals are due."""
    return np.concatenate([each.due_s for each in arrivals(workload, seed, until_s)])


def scenario(tmp_path: Path, said: str, head: str = "duration: 4h") -> Scenario:
    """A scenario with these arrivals."""
    path = tmp_path / "shaped.yaml"
    path.write_text(
        f"{{version: 1, name: shaped, system: queue, {head},\n workload: {{arrivals: {said},\n"
        " task: {duration: {distribution: constant, value: 1s}}}}"
    )
    return load(path).scenario


rates = st.integers(0, 90).map(lambda number: f"{number}/min")
spans = st.integers(1, 7200).map(lambda number: f"{number}s")
stage = st.fixed_dictionaries({"for": spans}, optional={"to": rates, "rate": rates})
clocks = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02}:{at[1]:02}")
point = st.fixed_dictionaries({"at": clocks, "rate": rates})
base = st.one_of(
    st.fixed_dictionaries({"rate": rates}),
    st.fixed_dictionaries(
        {"stages": st.lists(stage, min_size=1, max_size=5), "repeat": st.booleans()}, optional={"rate": rates}
    ),
    st.fixed_dictionaries(
        {
            "profile": st.fixed_dictionaries(
                {
                    "every": st.just("day"),
                    "points": st.lists(point, min_size=1, max_size=5, unique_by=lambda each: each["at"]),
                    "between": st.sampled_from(["linear", "step"]),
                }
            )
        }
    ),
)
burst = st.one_of(
    st.fixed_dictionaries({"name": st.just("b"), "at": spans, "for": spans, "rate": rates}),
    st.fixed_dictionaries(
        {"name": st.just("b"), "at": spans, "for": st.just("5m"), "every": st.just("17m"), "factor": st.just(3)}
    ),
)
scheduled = st.fixed_dictionaries(
    {"name": st.just("s"), "at": spans, "count": st.integers(1, 50)}, optional={"every": st.just("20m")}
)


@st.composite
def described(draw_from: st.DrawFn) -> Data:
    """Arrivals of every form."""
    data = dict(draw_from(base))
    if draw_from(st.booleans()):
        data["bursts"] = draw_from(st.lists(burst, min_size=1, max_size=3))
    if draw_from(st.booleans()):
        data["scheduled"] = draw_from(st.lists(scheduled, min_size=1, max_size=2))
    return data


@given(described())
def test_the_integral_of_the_rate_is_the_expected_count(data: Data) -> None:
    rate = rate_of(workload_of(data))
    steps = np.linspace(0, LENGTH_S, 400_001)
    integral = float(rate.at((steps[1:] + steps[:-1]) / 2).sum()) * LENGTH_S / 400_000
    at_set_times = sum(each.count * len(each.times_s) for each in workload_of(data).scheduled)
    assert rate.expected(LENGTH_S) == pytest.approx(integral + at_set_times, abs=0.5, rel=1e-3)


@given(described(), st.lists(st.floats(0.0, 20_000.0), min_size=1, max_size=5))
def test_the_time_of_a_count_is_the_inverse_of_the_count(data: Data, counts: list[float]) -> None:
    rate = rate_of(workload_of(data))
    for count in counts:
        t_s = rate.time_of(count)
        if np.isfinite(t_s):
            # At a set time the count passes all that arrive then.
            before = rate.expected(np.nextafter(t_s, -1.0)) if t_s else 0.0
            assert before - 1e-6 <= count * (1 + 1e-9) and count <= rate.expected(t_s) * (1 + 1e-9) + 1e-6
        else:
            assert rate.expected(1e7) <= count + 1e-6


@given(described(), st.floats(0.0, 2 * LENGTH_S), st.floats(0.0, 1e4))
def test_one_time_and_an_array_of_times_come_out_the_same(data: Data, t_s: float, count: float) -> None:
    rate = rate_of(workload_of(data))
    for of in (rate.at, rate.flow, rate.expected):
        assert of(t_s) == of(np.array([t_s]))[0]
    for inverse in (rate.when, rate.time_of):
        assert inverse(count) == inverse(np.array([count]))[0]


@given(described(), st.integers(0, 100))
def test_poisson_counts_are_near_the_integral(data: Data, seed: int) -> None:
    workload = workload_of(data)
    times, rate = due(workload, seed), rate_of(workload)
    assert (np.diff(times) >= 0).all()
    for cut_s in (LENGTH_S / 3, LENGTH_S):
        # What arrives at the cut itself comes after it.
        expected = float(rate.expected(np.nextafter(cut_s, 0.0)))
        assert abs(int(np.searchsorted(times, cut_s, side="left")) - expected) <= 6 * np.sqrt(expected) + 6


@given(described())
def test_evenly_spaced_arrivals_are_never_more_than_one_off_the_integral(data: Data) -> None:
    workload = workload_of(data, process=Process.CONSTANT)
    times, rate = due(workload), rate_of(workload)
    for cut_s in np.linspace(600.0, LENGTH_S, 13):
        expected = float(rate.expected(np.nextafter(cut_s, 0.0)))
        assert abs(int(np.searchsorted(times, cut_s, side="left")) - expected) <= 1 + 1e-6


@given(described(), st.integers(1, 3 * 4096), st.sampled_from(Process), st.integers(0, 100))
def test_exactly_so_many_arrive(data: Data, count: int, process: Process, seed: int) -> None:
    asked = {**data, "count": count}
    assume(
        shape_of(asked, LENGTH_S, BERLIN) is None
        or total(shape_of(data | {"bursts": data.get("bursts", [])}, LENGTH_S, BERLIN).pieces)
    )  # type: ignore[union-attr]
    workload = workload_of(asked, process=process)
    times = due(workload, seed)
    assert len(times) == count + sum(each.count * len(each.times_s) for each in workload.scheduled)
    assert (np.diff(times) >= 0).all() and times[-1] < LENGTH_S


def test_chunks_are_whole_but_the_last_and_end_where_arrivals_end() -> None:
    workload = workload_of({"rate": "90/min", "scheduled": [{"name": "s", "count": 4096, "at": "1h"}]})
    for until_s in (LENGTH_S, 2 * HOUR_S, HOUR_S):
        chunks = list(arrivals(workload, 1, until_s))
        assert {len(each) for each in chunks[:-1]} <= {4096} and len(chunks[-1]) < 4096
        assert np.concatenate([each.due_s for each in chunks]).tolist() == [
            t_s for t_s in due(workload) if t_s < until_s
        ]


def test_stages_ramp_hold_and_step() -> None:
    stages = [{"to": "18/min", "for": "1h"}, {"for": "30m"}, {"rate": "0/min", "for": "30m"}]
    rate = rate_of(workload_of({"rate": "6/min", "stages": stages}))
    per_minute = [rate.at(minute * 60.0) * 60 for minute in (0, 30, 60, 89, 90, 119, 120, 239)]
    assert per_minute == pytest.approx([6, 12, 18, 18, 0, 0, 0, 0])
    assert rate.expected(LENGTH_S) == pytest.approx(12 * 60 + 18 * 30)


def test_stages_that_repeat_begin_as_the_first_time() -> None:
    data = {"stages": [{"to": "60/min", "for": "30m"}, {"to": "0/min", "for": "30m"}], "repeat": True}
    rate = rate_of(workload_of(data))
    assert [rate.at(t_s) for t_s in (900.0, 900.0 + HOUR_S, 2700.0)] == pytest.approx([0.5] * 3)
    assert rate.cycle_s == HOUR_S and rate.expected(LENGTH_S) == pytest.approx(4 * 1800)


def test_a_stage_may_begin_later() -> None:
    stages = [{"at": "1h", "rate": "12/min", "for": "1h"}, {"rate": "0/min", "for": "0s"}]
    rate = rate_of(workload_of({"rate": "6/min", "stages": stages}))
    assert rate.expected(LENGTH_S) == pytest.approx(360 + 720)


def test_where_bursts_overlap_the_first_decides() -> None:
    bursts = [
        {"name": "a", "at": "10m", "for": "10m", "rate": "60/min"},
        {"name": "b", "at": "0s", "for": "1h", "factor": 2},
    ]
    rate = rate_of(workload_of({"rate": "6/min", "bursts": bursts}))
    assert [rate.at(minute * 60.0) * 60 for minute in (5, 15, 25, 65)] == pytest.approx([12, 60, 12, 6])
    assert [rate.is_peak(minute * 60.0) for minute in (5, 65)] == [True, False]


def test_a_profile_follows_the_local_clock_where_it_goes_forward() -> None:
    """At 02:00 of 29 March 2026 clocks in Berlin show 03:00: the hour after 02:00 does not exist."""
    points = [{"at": f"{hour:02}:00", "rate": f"{hour}/min"} for hour in range(24)]
    rate = rate_of(workload_of({"profile": {"every": "day", "points": points, "between": "step"}}, DAY_S))
    # The run starts at noon: 12 to 23, then 0 and 1, then 3 to 12 (23 hours in all fill it up to 13:00).
    hours = [round(rate.at((hour + 0.5) * HOUR_S) * 60) for hour in range(24)]
    assert hours == [*range(12, 24), 0, 1, *range(3, 13)]


def test_a_profile_has_the_hour_twice_that_comes_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    clock = Clock(datetime(2026, 10, 25, tzinfo=berlin), berlin)
    points = [{"at": f"{hour:02}:00", "rate": f"{hour}/min"} for hour in range(24)]
    rate = rate_of(workload_of({"profile": {"every": "day", "points": points, "between": "step"}}, DAY_S, clock))
    assert [round(rate.at((hour + 0.5) * HOUR_S) * 60) for hour in range(6)] == [0, 1, 2, 2, 3, 4]


def test_a_profile_is_linear_between_its_points_also_around_midnight() -> None:
    clock = Clock.of(None, "UTC")
    points = [{"at": "06:00", "rate": "0/min"}, {"at": "18:00", "rate": "12/min"}]
    rate = rate_of(workload_of({"profile": {"every": "day", "points": points}}, 2 * DAY_S, clock))
    assert [rate.at(hour * HOUR_S) * 60 for hour in (0, 6, 12, 18, 21, 24, 36)] == pytest.approx([6, 0, 6, 12, 9, 6, 6])
    assert rate.cycle_s == DAY_S


def test_a_weekly_profile_begins_on_monday() -> None:
    points = [{"at": "mon 00:00", "rate": "2/min"}, {"at": "sat 00:00", "rate": "1/min"}]
    clock = Clock.of(None, "UTC")
    rate = rate_of(workload_of({"profile": {"every": "week", "points": points, "between": "step"}}, 14 * DAY_S, clock))
    assert [round(rate.at((day + 0.5) * DAY_S) * 60) for day in range(9)] == [2, 2, 2, 2, 2, 1, 1, 2, 2]


def test_a_point_may_be_of_several_days() -> None:
    points = [
        {"at": "mon-fri 08:00", "rate": "6/min"},
        {"at": "mon-fri 18:00", "rate": "1/min"},
        {"at": "sat-mon 03:00", "rate": "2/min"},
    ]
    clock = Clock.of(None, "UTC")
    rate = rate_of(workload_of({"profile": {"every": "week", "points": points, "between": "step"}}, 7 * DAY_S, clock))
    assert [round(rate.at(day * DAY_S + 12 * HOUR_S) * 60) for day in range(7)] == [6, 6, 6, 6, 6, 2, 2]
    assert [round(rate.at(day * DAY_S + 4 * HOUR_S) * 60) for day in range(7)] == [2, 1, 1, 1, 1, 2, 2]


def test_cron_follows_the_local_clock() -> None:
    clock = Clock(BERLIN.start - timedelta(days=2), BERLIN.zone)
    nightly = scheduled_of({"name": "n", "count": 5, "cron": "0 2 * * *"}, 4 * DAY_S, clock)
    # 02:00 comes 14 h after the start at noon, and 23 h after the one before when clocks go forward (they fire at 03:00 then).
    assert [t_s / HOUR_S for t_s in nightly.times_s] == [14.0, 38.0, 62.0, 85.0]


def test_at_set_times_the_whole_number_arrives() -> None:
    times = due(workload_of({"rate": "1/min", "scheduled": [{"name": "s", "count": 200, "at": "90m"}]}))
    assert int((times == 5400.0).sum()) == 200
    assert 200 < len(times) < 600


@pytest.mark.parametrize(("batch", "sizes"), [({"size": 10}, {10}), ({"low": 2, "high": 4}, {2, 3, 4})])
def test_batches_come_whole_and_the_rate_counts_tasks(batch: Data, sizes: set[int]) -> None:
    times = due(workload_of({"rate": "60/min", "batch": batch}))
    _, counts = np.unique(times, return_counts=True)
    assert set(counts.tolist()) <= sizes | {2 * each for each in sizes}
    # Six standard deviations: the number of batches is Poisson.
    mean_square = sum(each * each for each in sizes) / len(sizes)
    assert len(times) == pytest.approx(4 * 3600, abs=6 * np.sqrt(4 * 3600 * mean_square / (sum(sizes) / len(sizes))))


def test_geometric_batches_have_their_mean() -> None:
    times = due(workload_of({"rate": "60/min", "batch": {"mean": 5}}))
    _, counts = np.unique(times, return_counts=True)
    assert counts.mean() == pytest.approx(5, rel=0.1)
    assert len(times) == pytest.approx(4 * 3600, rel=0.1)


def test_a_scenario_that_uses_all_of_it(tmp_path: Path) -> None:
    said = (
        "{process: constant, rate: 1/min, stages: [{to: 4/min, for: 1h}, {at: 2h, rate: 0/min, for: 1h}], count: 100,\n"
        " bursts: [{name: b, at: 30m, for: 1m, factor: 0}], scheduled: [{name: s, count: 7, every: 1h}]}"
    )
    workload = scenario(tmp_path, said).workload
    assert len(due(workload)) == 100 + 3 * 7
    assert [each.times_s for each in workload.scheduled] == [(3600.0, 7200.0, 10800.0)]
