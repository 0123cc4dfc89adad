"""Figures of two histories: planted differences are found, and identical ones agree."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from histories import CLEAN, RETRIED, block_of, shifted
from hypothesis import given
from hypothesis import strategies as st
from planted import figures_of, pairs

from soak.runner.evidence.task_numbers import task_name
from soak.runner.parity.compare import MOST_EVENTS, short_histories
from soak.runner.parity.figures import Measure, kolmogorov_smirnov, sli_figures
from soak.runner.parity.outcomes import Outcomes
from soak.runner.parity.tolerances import tolerance_of
from soak.schemas.evidence.parity import Agreement
from soak.schemas.language.expression import EventFilter, Unit
from soak.schemas.language.registry import catalogues
from soak.schemas.language.slis import Aggregate, Better, Sli
from soak.schemas.language.tolerance import Tolerance
from soak.schemas.stream.vocabulary import Vocabulary

AGREES, DIFFERS, NOT_COMPARED = Agreement.AGREES, Agreement.DIFFERS, Agreement.NOT_COMPARED
TWENTY = "".join(shifted(CLEAN, str(task), 100 * task) for task in range(1, 21))


def changed(history: str, change: Callable[[list[str]], list[str] | None]) -> str:
    """The history with each of its lines, as words, changed or dropped."""
    lines = [change(line.split()) for line in history.strip().splitlines()]
    return "\n".join(" ".join(line) for line in sorted(filter(None, lines), key=lambda line: float(line[0]))) + "\n"


def test_identical_histories_agree_in_everything() -> None:
    both = pairs(TWENTY, TWENTY)
    figures = figures_of(both)
    assert {figure.status for name, figure in figures.items() if name != "latency_distance"} == {AGREES}
    assert {figure.difference for figure in figures.values()} == {0.0}
    counts = both.counts()
    assert (counts.seen, counts.same_state, counts.same_attempts, counts.latency_in_both) == (20, 20, 20, 20)


def test_a_task_that_one_run_lost_is_found() -> None:
    lost = changed(TWENTY, lambda line: None if line[2] == "7" else line)
    both = pairs(TWENTY, lost)
    figures = figures_of(both)
    for name in ("tasks_accepted_in_one", "tasks_in_other_state"):
        assert figures[name].difference == pytest.approx(0.05)
        assert figures[name].status is DIFFERS
    assert np.flatnonzero(both.other_state).tolist() == [14]
    assert figures["tasks_with_other_attempts"].status is AGREES
    assert both.counts().latency_in_both == 19


def test_a_task_that_one_run_did_not_finish_is_found() -> None:
    open_ = changed(TWENTY, lambda line: None if line[1:3] == ["done", "7"] else line)
    both = pairs(open_, TWENTY)
    assert figures_of(both)["tasks_in_other_state"].difference == pytest.approx(0.05)
    assert figures_of(both)["tasks_accepted_in_one"].difference == 0
    assert len(both.latencies().base_s) == 19


def test_deferred_work_is_not_taken_in() -> None:
    both = pairs(CLEAN + "20 deferred 2 due=20\n", CLEAN + "20 enqueued 2 due=20\n")
    assert figures_of(both)["tasks_accepted_in_one"].difference == pytest.approx(0.5)


def test_one_attempt_more_is_found() -> None:
    base = changed(TWENTY, lambda line: None if line[2] == "7" else line) + shifted(CLEAN, "7", 5000)
    run = changed(TWENTY, lambda line: None if line[2] == "7" else line) + shifted(RETRIED, "7", 5000)
    both = pairs(base, run)
    figures = figures_of(both)
    assert figures["tasks_with_other_attempts"].difference == pytest.approx(0.05)
    assert figures["tasks_with_other_attempts"].status is DIFFERS
    assert (figures["attempts_mean"].base, figures["attempts_mean"].run) == (1.0, pytest.approx(1.05))
    assert figures["attempts_mean"].status is DIFFERS
    assert figures["tasks_in_other_state"].status is AGREES
    assert np.flatnonzero(both.other_attempts).tolist() == [14]


def later(line: list[str], seconds: float) -> list[str]:
    return [str(float(line[0]) + seconds), *line[1:]] if line[1] == "done" else line


@pytest.mark.parametrize(("shift_s", "speed", "status"), [(0.5, 1, AGREES), (2.0, 1, DIFFERS), (2.0, 60, AGREES)])
def test_latencies_that_are_shifted_are_found(shift_s: float, speed: float, status: Agreement) -> None:
    figures = figures_of(pairs(TWENTY, changed(TWENTY, lambda line: later(line, shift_s))), speed)
    for name in ("task_latency_p50", "task_latency_p99", "latency_paired_median"):
        assert figures[name].difference == pytest.approx(shift_s)
        assert figures[name].allowed == pytest.approx(max(0.9, 0.05 * speed))
        assert figures[name].status is status
    assert figures["latency_distance"].difference == 1.0
    assert figures["latency_distance"].status is NOT_COMPARED
    beyond = figures["latency_distance_beyond_overhead"]
    assert (beyond.difference, beyond.status) == ((0.0, AGREES) if speed == 60 else (1.0, DIFFERS))


def test_the_paired_difference_pairs_tasks() -> None:
    """Latencies that change places leave the distribution as it is; only the pairs tell."""
    run = changed(TWENTY, lambda line: later(line, 5) if int(line[2]) <= 4 else line)
    base = changed(TWENTY, lambda line: later(line, 5) if int(line[2]) > 16 else line)
    both = pairs(base, run)
    assert figures_of(both)["latency_distance"].difference == 0
    assert both.latencies().difference_s.tolist() == [5.0] * 4 + [0.0] * 12 + [-5.0] * 4


def test_nothing_in_either_run_is_not_compared() -> None:
    figures = figures_of(pairs("", ""))
    assert {figure.status for figure in figures.values()} == {NOT_COMPARED}
    assert figures["task_latency_p50"].detail == "nothing observed in either run"


def test_a_task_that_comes_again_counts_as_it_ended_last() -> None:
    history = CLEAN + "20 enqueued 1 due=20\n21 dispatched 1\n25 failed 1\n"
    outcomes = Outcomes(10)
    outcomes.observe(block_of(history))
    assert outcomes.latency_s[2] == 5.0
    assert outcomes.attempts[2] == 2


# SLIs.


def test_slis_of_both_verdicts_are_compared() -> None:
    slis = catalogues()["queue"]
    base = dict.fromkeys(slis, 1.0) | {"rss": None, "wait_p50": None, "wait_p95": None}
    run = base | {"success_rate": 0.994, "duplicate_executions": 2.0, "rss": 1e8, "wait_p95": 3.0}
    found = {figure.name: figure for figure in sli_figures(slis, base, run, Measure(1.0))}
    differ = {name for name, figure in found.items() if figure.status is DIFFERS}
    assert differ == {"success_rate", "duplicate_executions", "wait_p95"}
    assert found["wait_p95"].detail == "observed in one of the runs only"
    assert found["rss"].status is found["rss_growth"].status is found["wait_p50"].status is NOT_COMPARED
    assert (found["success_rate"].allowed, found["success_rate"].tolerance) == (0.005, "0.5 points")


def test_every_built_in_indicator_has_a_tolerance_of_its_own() -> None:
    slis = [sli for slis in catalogues().values() for sli in slis.values()]
    assert [sli.name for sli in slis if sli.compared == (sli.tolerance is None)] == []


def test_what_only_a_real_system_has_and_what_a_hiccup_decides_is_not_compared() -> None:
    resources = ("rss", "open_files", "threads", "db_size", "runner_rss", "runner_open_files")
    slis = [sli for slis in catalogues().values() for sli in slis.values()]
    uncompared = {sli.name for sli in slis if tolerance_of(sli) is None}
    grown = (*resources, "queue_depth", "latency")
    assert uncompared == {
        "queue_depth",
        "throughput",  # of pipelines: the shutdown, which is part of their run, takes as long at every speed
        "queue_depth_max",
        "workers_alive",
        *("broker_memory", "broker_memory_growth"),
        *resources,
        *(f"{name}_growth" for name in grown),
        *(
            "backlog",
            "freshness",
            "process_rss",
            "process_rss_growth",
            "process_open_files",
            "process_open_files_growth",
            "process_cpu",
        ),
        # Of gateways: levels of the machine; slowdown is compared by its two parts.
        *("in_service", "outbox", "outbox_growth", "load_cpu", "load_lag", "slowdown"),
    }


@pytest.mark.parametrize(("type_", "compared"), [("sample.rss", False), ("sample.queue_depth", True)])
def test_an_own_indicator_is_compared_by_its_unit(type_: str, compared: bool) -> None:
    filters = ((EventFilter(type_, ()),),)
    own = Sli("own", "own", Unit.COUNT, Aggregate.GAUGE, "own", Better.LOWER, filters=filters)
    assert (tolerance_of(own) is not None) is compared


def test_a_tolerance_allows_the_widest_of_its_parts() -> None:
    tolerance = Tolerance(absolute=2, relative=0.1, real_s=0.05)
    assert [tolerance.allowed(base, speed) for base, speed in ((0, 1), (50, 1), (-50, 1), (50, 200))] == [2, 5, 5, 10]
    assert tolerance.words(Unit.COUNT) == "10 % or 2 or 0.05 s on the real clock"
    assert Tolerance().words(Unit.COUNT) == "exact"


# The distance of two distributions.

SAMPLES = st.lists(st.integers(0, 20), min_size=1, max_size=20).map(lambda values: np.sort(np.array(values, float)))


@given(SAMPLES, SAMPLES, st.integers(0, 5))
def test_the_distance_is_the_largest_difference_of_the_distribution_functions(
    one: np.ndarray, other: np.ndarray, shift: int
) -> None:
    grid = np.arange(-30, 60) / 1.0

    def share(values: np.ndarray, at: float) -> float:
        return float((values <= at).mean())

    ways = ((one, other), (other, one))
    expected = max(max(share(a, x) - share(b, x + shift) for x in grid) for a, b in ways)
    assert kolmogorov_smirnov(one, other, shift) == pytest.approx(max(expected, 0.0))


def test_the_distance_of_known_samples() -> None:
    assert kolmogorov_smirnov(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])) == 0.5
    assert kolmogorov_smirnov(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]), 2.0) == 0.0
    assert math.isnan(kolmogorov_smirnov(np.array([]), np.array([1.0])))


# Histories in short.


def test_a_history_in_short() -> None:
    vocabulary = Vocabulary()
    block = block_of(RETRIED, vocabulary)
    told = short_histories([block], np.array([2, 4]), vocabulary)
    assert told[2] == "enqueued 0s, dispatched +1s, retry +3s (timeout), dispatched +70s, done +80s"
    assert told[4] == "no event"


def test_a_long_history_is_cut_in_the_middle() -> None:
    lines = "".join(f"{t} dispatched 1\n" for t in range(40))
    (told,) = short_histories([block_of(lines)], np.array([2]), Vocabulary()).values()
    assert told.count(",") == MOST_EVENTS
    assert "… 28 more …" in told
    assert told.endswith("dispatched +39s")


def test_tasks_are_named_as_in_the_stream() -> None:
    assert (task_name(14), task_name(15)) == ("7", "7.2")


@pytest.mark.parametrize(
    ("base", "run", "interval_s", "status"),
    [
        (0.1, 3.0, 5.0, AGREES),
        (3.0, 0.1, 5.0, AGREES),
        (0.1, 3.0, 2.0, DIFFERS),
        (5.0, 7.0, 5.0, DIFFERS),
        (0.1, 3.0, 0.0, DIFFERS),
    ],
)
def test_a_silence_up_to_the_interval_of_samples_is_none(
    base: float, run: float, interval_s: float, status: Agreement
) -> None:
    gap = {"telemetry_gap": catalogues()["queue"]["telemetry_gap"]}
    [figure] = sli_figures(gap, {"telemetry_gap": base}, {"telemetry_gap": run}, Measure(1.0, interval_s))
    assert figure.status is status
