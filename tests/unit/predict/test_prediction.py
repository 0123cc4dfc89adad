"""What replications say together: figures against other ways to compute them, and every case of what breaks first."""

import json
import math
import re
import statistics
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from predictions import SCENARIO, concluded, loaded_scenario, predicted

from soak.reports.plots.prediction import bars, is_far
from soak.reports.prediction import command, first, render_prediction, summary_lines
from soak.runner.evidence.record import to_json
from soak.runner.predict import table
from soak.runner.predict.figures import distribution_of, half_width, share_of
from soak.runner.predict.prediction import decide, first_to_break, observed
from soak.runner.replications.replication import ObjectiveOutcome, Replication, jobs, replicate, seeds
from soak.schemas.evidence.prediction import QUANTILES, SCHEMA_VERSION, Decision, First, Prediction, Stopped
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.schema import read_schema
from soak.schemas.units import ratio

FINITE = st.floats(-1e9, 1e9)


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_figures_of_values_are_those_of_other_libraries(values: list[float]) -> None:
    found = distribution_of(values)
    assert found is not None
    assert found.count == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-6)
    assert (found.min, found.max) == (min(values), max(values))
    expected = np.quantile(np.array(values), QUANTILES)
    assert [each.value for each in found.quantiles] == pytest.approx(list(expected), rel=1e-9, abs=1e-6)
    if len(values) > 1:
        assert found.sd == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-5)
    else:
        assert found.sd is None


@given(st.lists(FINITE, min_size=2, max_size=30))
def test_the_order_of_values_plays_no_part(values: list[float]) -> None:
    assert distribution_of(values) == distribution_of(values[::-1])


def test_equal_values_have_no_spread() -> None:
    found = distribution_of([0.1] * 7)
    assert found is not None
    assert (found.mean, found.sd) == (0.1, 0.0)
    assert distribution_of([]) is None


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    for count, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert share_of(count, total).interval == pytest.approx((low, high), abs=5e-5)
    assert half_width(share_of(0, 20)) == pytest.approx(0.0806, abs=1e-4)


@pytest.mark.parametrize(
    ("count", "required", "expected"),
    [
        (400, 0.99, Decision.MET),
        (400, 0.9905, Decision.UNDECIDED),
        (380, 0.98, Decision.MISSED),
        (0, 0.5, Decision.MISSED),
    ],
)
def test_a_requirement_is_decided_by_the_whole_interval(count: int, required: float, expected: Decision) -> None:
    assert decide(share_of(count, 400), required) is expected


def test_a_requirement_that_is_the_lower_end_is_met() -> None:
    passed = share_of(390, 400)
    assert decide(passed, passed.interval[0]) is Decision.MET
    assert decide(passed, passed.interval[1]) is Decision.UNDECIDED


def test_seeds_are_independent_of_how_many_there_are() -> None:
    many, few = seeds(7), seeds(7)
    first_hundred = [next(many) for _ in range(100)]
    assert [next(few) for _ in range(5)] == first_hundred[:5]
    assert len(set(first_hundred)) == 100
    assert max(first_hundred) < 2**53
    assert next(seeds(8)) != first_hundred[0]


# From replications made by hand.


def outcome(margin: float | None, status: Status = Status.PASS) -> ObjectiveOutcome:
    value = None if margin is None else 10.0 - margin
    return ObjectiveOutcome(status, value, 10.0, margin, 5)


def made_of(*rows: tuple[Outcome, list[ObjectiveOutcome]]) -> list[Replication]:
    return [
        Replication(i, 100 + i, verdict, 60.0 + i, None, outcomes, []) for i, (verdict, outcomes) in enumerate(rows)
    ]


def prediction_of(made: list[Replication], tmp_path: Path, **changes: object) -> Prediction:
    return concluded(loaded_scenario(tmp_path, **changes), made, Stopped.COMPLETED, replications=len(made))


OK, BAD, OPEN = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def test_the_one_most_often_broken_breaks_first(tmp_path: Path) -> None:
    made = made_of(
        (Outcome.FAIL, [outcome(5), outcome(-1, BAD), outcome(-1, BAD)]),
        (Outcome.FAIL, [outcome(5), outcome(1), outcome(-2, BAD)]),
        (Outcome.PASS, [outcome(5), outcome(1), outcome(1)]),
    )
    found = prediction_of(made, tmp_path).first_to_break
    assert (found.objective, found.by, found.count, found.of) == ("latency_p95 <= 25s", First.BROKEN, 2, 2)


def aborted_by(name: str, *, seed: int, outcomes: list[ObjectiveOutcome]) -> Replication:
    return Replication(seed, seed, Outcome.ABORTED, 60.0, name, outcomes, [])


@pytest.mark.parametrize(("aborted", "breaks"), [(1, None), (2, "slow"), (3, "slow")])
def test_an_abort_condition_that_ends_as_many_breaks_first(aborted: int, breaks: str | None, tmp_path: Path) -> None:
    made = [
        *made_of(*((Outcome.FAIL, [outcome(5), outcome(-1, BAD), outcome(1)]) for _ in range(2))),
        *(aborted_by("slow", seed=10 + k, outcomes=[outcome(5), outcome(1), outcome(1)]) for k in range(aborted)),
    ]
    prediction = prediction_of(made, tmp_path)
    found = prediction.first_to_break
    assert (found.abort, found.of) == (breaks, 2 + aborted)
    if breaks:
        assert (found.objective, found.by, found.count) == (None, First.ABORTED, aborted)
        said = f"First to break: abort condition slow (ended {aborted} of the {2 + aborted} replications without PASS"
        assert said in first(found, prediction.objectives, prediction.made)
        assert said in summary_lines(prediction)
    else:
        assert (found.objective, found.by, found.count) == ("success_rate >= 99%", First.BROKEN, 2)


def test_of_none_broken_the_one_nearest_to_zero_breaks_first(tmp_path: Path) -> None:
    made = made_of(*((Outcome.PASS, [outcome(1), outcome(5 + k), outcome(100 + 90 * k)]) for k in range(3)))
    prediction = prediction_of(made, tmp_path)
    found = prediction.first_to_break
    assert found.by is First.MARGIN
    assert found.objective == "latency_p95 <= 25s"
    assert found.deviations == pytest.approx(190 / 90)
    assert [each.margin_varies for each in prediction.objectives] == [False, True, True]
    nothing = (
        "Nothing broke; closest to its limit: latency_p95 <= 25s, 2.11 sigma of headroom. Constant margin: errors == 0"
    )
    assert nothing in first(found, prediction.objectives, prediction.made)


def test_margins_that_never_vary_tell_no_first(tmp_path: Path) -> None:
    made = made_of(*((Outcome.PASS, [outcome(0), outcome(5), outcome(None, OPEN)]) for _ in range(3)))
    prediction = prediction_of(made, tmp_path)
    assert prediction.first_to_break.by is First.NONE
    assert prediction.first_to_break.objective is None
    assert prediction.objectives[2].unobserved == 3
    assert prediction.objectives[2].value is None
    assert prediction.objectives[2].inconclusive.count == 3


def test_without_objectives_nothing_breaks() -> None:
    assert first_to_break([], [], 3).by is First.NONE


def test_margins_of_an_equality_are_zero_or_below(tmp_path: Path) -> None:
    made = made_of(
        (Outcome.FAIL, [outcome(-3, BAD), outcome(1), outcome(1)]), (Outcome.PASS, [outcome(0), outcome(2), outcome(3)])
    )
    prediction = prediction_of(made, tmp_path)
    assert prediction.first_to_break.objective == "errors == 0"
    assert prediction.objectives[0].margin is not None
    assert prediction.objectives[0].margin.max == 0


def test_what_was_not_observed_is_counted_and_in_no_distribution(tmp_path: Path) -> None:
    made = made_of(
        (Outcome.PASS, [outcome(0), outcome(1), outcome(4)]),
        (Outcome.INCONCLUSIVE, [outcome(0), outcome(1), outcome(None, OPEN)]),
    )
    found = prediction_of(made, tmp_path).objectives[2]
    assert found.unobserved == 1
    assert found.value is not None
    assert found.value.count == 1
    assert (found.holds.count, found.inconclusive.count, found.broken.count) == (1, 1, 0)


def test_doubts_of_replications_that_pass_are_not_counted(tmp_path: Path) -> None:
    rows = [(Outcome.PASS, ["alert a"]), (Outcome.FAIL, ["alert a", "law b"]), (Outcome.FAIL, ["law b"])]
    outcomes = [outcome(0), outcome(1), outcome(1)]
    made = [Replication(i, i, verdict, 1.0, None, outcomes, doubts) for i, (verdict, doubts) in enumerate(rows)]
    found = prediction_of(made, tmp_path).doubts
    assert [(each.what, each.count) for each in found] == [("law b", 2), ("alert a", 1)]


def test_nothing_made_is_told(tmp_path: Path) -> None:
    prediction = concluded(loaded_scenario(tmp_path), [], Stopped.INTERRUPTED)
    assert prediction.pass_probability.interval == (0.0, 1.0)
    told = summary_lines(prediction)
    assert told.startswith("PASS probability unknown (no replication was made)\n")
    assert "Interrupted after 0 of at most 5 replications." in told
    Draft202012Validator(read_schema("prediction")).validate(json.loads(to_json(prediction)))


# From the simulation.


def test_every_figure_comes_of_the_table_again(tmp_path: Path) -> None:
    prediction, directory, again = predicted(tmp_path, replications=12)
    assert {each.verdict for each in prediction.verdicts if each.share.count} >= {
        Outcome.ABORTED,
        Outcome.FAIL,
        Outcome.PASS,
    }
    read = table.read_csv((directory / table.FILE).read_bytes())
    assert to_json(again(read, Stopped.COMPLETED)) == (directory / "prediction.json").read_bytes()


def test_the_table_tells_another_prediction_when_a_figure_is_changed(tmp_path: Path) -> None:
    prediction, directory, again = predicted(tmp_path, replications=3)
    content = (directory / table.FILE).read_bytes()
    read = table.read_csv(content)
    value = read[1].objectives[1].value
    assert value is not None
    changed = content.replace(repr(value).encode(), repr(math.nextafter(value, 0)).encode())
    assert again(table.read_csv(changed), Stopped.COMPLETED) != prediction


def test_a_prediction_keeps_to_its_schema(tmp_path: Path) -> None:
    _, directory, _ = predicted(tmp_path, replications=3)
    schema = read_schema("prediction")
    Draft202012Validator.check_schema(schema)
    document = json.loads((directory / "prediction.json").read_text())
    Draft202012Validator(schema).validate(document)
    document["objectives"][0]["margin"]["quantiles"].pop()
    assert not Draft202012Validator(schema).is_valid(document)


def test_words_of_the_schema_are_words_of_the_code() -> None:
    schema = read_schema("prediction")
    found, kept = schema["properties"], schema["$defs"]
    assert set(found["stopped"]["enum"]) == set(Stopped)
    assert set(found["decision"]["enum"]) == {*Decision, None}
    assert set(kept["first"]["properties"]["by"]["enum"]) == set(First)
    assert set(kept["outcome"]["properties"]["verdict"]["enum"]) == set(Outcome)
    assert set(kept["objective"]["properties"]["op"]["enum"]) == set(Op)
    assert set(kept["objective"]["properties"]["unit"]["enum"]) == set(Unit)
    assert found["schema_version"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize("text", ["5%", "0.1%", "1.23456%", "0.0123456789", "33%"])
def test_the_command_says_the_same_share_again(tmp_path: Path, text: str) -> None:
    prediction = concluded(loaded_scenario(tmp_path), [], Stopped.INTERRUPTED, precision=ratio(text))
    words = command(prediction).split()
    assert ratio(words[words.index("--precision") + 1]) == ratio(text)


@pytest.mark.parametrize("made", [0, 1, 3])
def test_a_report_of_what_is_always_the_same_or_was_never_seen(tmp_path: Path, made: int) -> None:
    rows = made_of(*((Outcome.INCONCLUSIVE, [outcome(0), outcome(5), outcome(None, OPEN)]) for _ in range(made)))
    prediction = prediction_of(rows, tmp_path)
    files = render_prediction(prediction, observed(loaded_scenario(tmp_path).scenario, rows))
    assert set(files) == {"prediction.md", "plots/objectives.svg"}
    assert b"nothing was observed" in files["plots/objectives.svg"]


def test_a_replication_is_a_function_of_its_job(tmp_path: Path) -> None:
    job = next(jobs(loaded_scenario(tmp_path).scenario, 3))
    assert replicate(job) == replicate(job)


def test_lost_telemetry_keeps_from_pass(tmp_path: Path) -> None:
    blind = "faults: [{name: blind, type: telemetry_loss, at: 2m, for: 8m}]\nabort: []\n"
    scenario = SCENARIO.partition("faults:")[0] + blind
    made = replicate(next(jobs(loaded_scenario(tmp_path, text=scenario).scenario, 3)))
    assert made.verdict is not Outcome.PASS
    assert "telemetry" in made.doubts


def test_an_abort_condition_that_ends_nothing_is_no_doubt_about_the_telemetry(tmp_path: Path) -> None:
    always = "abort: [{name: always, when: latency_p50 > 0s}]\n"
    scenario = SCENARIO.partition("abort:")[0] + always
    job = next(jobs(loaded_scenario(tmp_path, text=scenario).scenario, 3))
    made = replicate(msgspec.structs.replace(job, in_full=True))
    assert (made.aborted_by, made.doubts) == ("always", [])


# Plots.


@given(st.lists(FINITE, min_size=2, max_size=80), FINITE, st.sampled_from(list(Op)), st.booleans())
def test_no_value_is_missing_from_the_bars(values: list[float], target: float, op: Op, whole: bool) -> None:
    array = np.round(np.array(values)) if whole else np.array(values)
    if array.max() - array.min() < 1e-3:
        return
    places, widths, (good, broken) = bars(array, target, op, aligned=not is_far(array, target))
    assert len(places) == len(widths) == len(good) == len(broken)
    assert good.sum() == sum(op is Op.ABOUT or op.holds(value, target) for value in array.tolist())
    assert good.sum() + broken.sum() == len(values)


@pytest.mark.parametrize("op", [Op.LE, Op.LT, Op.GE, Op.GT])
def test_no_bar_of_whole_numbers_has_both_sides(op: Op) -> None:
    values = np.arange(0, 200, dtype=np.float64)
    _, _, (good, broken) = bars(values, 90.0, op, aligned=True)
    assert not (good * broken).any()


TASKS = """
version: 1
name: ten
system: calls
drain: 1m
seed: 3
workload:
  tasks: 10
  arrivals: {process: constant, rate: 1/s}
calls:
  dependencies:
    - {name: primary, latency: {distribution: constant, value: 50ms}}
  policy:
    - retry: {max_attempts: 2}
faults:
  - {name: refused, type: connection_error, rate: 30%}
slos:
  - success_rate ~ 91%
"""


@pytest.mark.parametrize("tasks", [10, 300])
def test_an_axis_of_shares_ends_at_100_percent(tmp_path: Path, tasks: int) -> None:
    loaded = loaded_scenario(tmp_path, TASKS, (f"workload.tasks={tasks}",))
    _, directory, _ = predicted(tmp_path, replications=30, loaded=loaded)
    svg = (directory / "plots" / "objectives.svg").read_text(encoding="utf-8")
    shares = [float(label) for label in re.findall(r">([0-9.]+)%</text>", svg)]
    assert len(shares) >= 3
    assert max(shares) <= 100
    if tasks == 10:
        assert all(share % 10 == 0 for share in shares)


def test_what_is_never_broken_and_often_inconclusive_comes_first(tmp_path: Path) -> None:
    unsure = outcome(None, OPEN)
    made = made_of(*((Outcome.INCONCLUSIVE, [outcome(0), outcome(5), unsure]) for _ in range(3)))
    made += made_of((Outcome.PASS, [outcome(0), outcome(5), outcome(5)]))
    prediction = prediction_of(made, tmp_path)
    found = prediction.first_to_break
    assert (found.by, found.objective, found.count, found.of) == (First.WITHHELD, "latency_p95 <= 25s", 3, 3)
    assert "  Nothing broke; 3 of 4 replications could not decide latency_p95 <= 25s." in summary_lines(prediction)
