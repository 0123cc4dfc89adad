"""Which statement is made of which objective, what `--violation` takes, and how sizes are written."""

import math

import msgspec
import pytest
from histories import scenario, tenants
from msgspec.structs import replace

from soak.reports.power import duration_words, probability_words, size_words
from soak.runner.power.assessment import assess
from soak.runner.power.cases import NoStatementError, case_of, scale_of
from soak.runner.power.detection import SpreadDetector
from soak.runner.power.pilot import Sample
from soak.runner.power.violations import parse_violations
from soak.runner.replications.replication import ObjectiveOutcome
from soak.schemas.errors import UsageError
from soak.schemas.evidence.power import Method, ObjectivePower, PowerReport, Scale, Violation
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.model import Scenario

SLIS = "slis: {retries: {count: task.retry}}\n"


def made(*objectives: str, more: str = "") -> Scenario:
    """A scenario with these objectives."""
    listed = "\n".join(f"  - {each}" for each in objectives)
    return scenario(f"duration: 10h\n{SLIS}{more}slos:\n{listed}\n")


def seen(made_: Scenario, values: list[float], *, samples: int = 1000, targets: list[float] | None = None) -> Sample:
    """A pilot of the first objective in which it had these values."""
    wanted = targets or [0.0] * len(values)
    outcomes = tuple(
        ObjectiveOutcome(
            Status.PASS, value, target, 0.0, samples, 2.0, {1700 + step: samples // 100 for step in range(100)}
        )
        for value, target in zip(values, wanted, strict=True)
    )
    return Sample(made_.objectives[0], outcomes, 10.0)


VARIED = [0.9, 0.95, 0.85, 0.92, 0.97]

STATEMENTS = [
    ("success_rate >= 80%", Method.BINOMIAL, Scale.VALUE, 0.75),
    ("success_rate == 100%", Method.BINOMIAL, Scale.VALUE, 0.9999),
    ("success_rate <= 99%", Method.BINOMIAL, Scale.VALUE, 1.0),
    ("latency_p95 <= 120s", Method.BINOMIAL, Scale.VALUE, None),
    ("latency_mean <= 2s", Method.NORMAL, Scale.VALUE, 2.5),
    ("throughput >= 2/s", Method.NORMAL, Scale.VALUE, 1.5),
    ("duplicate_executions == 0", Method.BINOMIAL, Scale.SHARE, 0.0001),
    ("excess_attempts <= 4", Method.BINOMIAL, Scale.SHARE, 0.005),
    ("excess_attempts < 5", Method.BINOMIAL, Scale.SHARE, 0.005),
    ("retries <= 40", Method.POISSON, Scale.HOURLY, 5.0),
    ("latency_max <= 5m", Method.POISSON, Scale.HOURLY, 1 / 24),
    ("stall_time <= 5m", Method.POISSON, Scale.HOURLY, 1 / 24),
    ("queue_depth <= 50", Method.POISSON, Scale.HOURLY, 1 / 24),
    ("queue_depth_growth <= 4/h", Method.NORMAL, Scale.VALUE, 5.0),
    ("queue_depth_growth <= 0/h", Method.NORMAL, Scale.VALUE, None),
]


@pytest.mark.parametrize(("objective", "method", "scale", "default"), STATEMENTS)
def test_a_statement(objective: str, method: Method, scale: Scale, default: float | None) -> None:
    scenario_ = made(objective)
    case = case_of(seen(scenario_, VARIED))
    assert (case.method, case.scale, scale_of(scenario_.objectives[0])) == (method, scale, scale)
    if default is not None:
        assert case.default == pytest.approx(default)
    found = assess(seen(scenario_, VARIED), [], 0.95, scenario_)
    assert found.reason == "" and found.limit == case.detector.limit
    assert (found.violations == []) == (objective == "queue_depth_growth <= 0/h")


def test_the_default_of_a_quantile_is_a_quarter_more_beyond_the_target() -> None:
    scenario_ = made("latency_p95 <= 120s")
    (violation,) = assess(seen(scenario_, VARIED), [], 0.95, scenario_).violations
    assert violation.share == pytest.approx(1.25 * 0.05, abs=0.005)
    assert violation.size > 120


@pytest.mark.parametrize(
    ("objective", "values", "reason"),
    [
        ("success_rate != 98%", VARIED, "it excludes one value"),
        ("success_rate == 98%", VARIED, "broken on both sides"),
        ("success_rate >= 0%", VARIED, "it holds whatever happens"),
        ("success_rate >= 90%", [*VARIED, 1.5], "above 100 % in the pilot"),
        ("state_transitions >= 50", VARIED, "it wants many"),
        ("excess_attempts == 3", VARIED, "it wants many, or one number exactly"),
        ("latency_p95 >= 1s", VARIED, "broken by small values"),
        ("latency_max >= 1s", VARIED, "broken by small values"),
        ("latency_mean <= 2s", [1.0] * 5, "the same in all replications"),
        ("latency_mean <= 2s", [-1.0, 1.0, -2.0, 0.5, 0.0], "not above 0 in the pilot"),
        ("throughput >= 0/s", VARIED, "its target is not above 0"),
    ],
)
def test_no_statement(objective: str, values: list[float], reason: str) -> None:
    scenario_ = made(objective)
    with pytest.raises(NoStatementError, match=reason):
        case_of(seen(scenario_, values))
    found = assess(seen(scenario_, values), [], 0.95, scenario_)
    assert found.method is None and reason in found.reason and not found.curve


def test_nothing_observed() -> None:
    scenario_ = made("success_rate >= 97%")
    nothing = Sample(scenario_.objectives[0], (ObjectiveOutcome(Status.INCONCLUSIVE, None, 0.97, None, 0),) * 5, 10.0)
    with pytest.raises(NoStatementError, match="no replication observes anything of it"):
        case_of(nothing)


def test_a_relative_objective() -> None:
    scenario_ = made("latency_p95{tenant=A} <= 1.2x tenant=B", more=f"{tenants('A', 'B')}\n")
    sample = seen(scenario_, [10.0, 11.0, 9.0, 10.5, 9.5], targets=[12.0] * 5)
    case = case_of(sample)
    assert (case.scale, case.detector.limit, case.default) == (Scale.FACTOR, 1.2, pytest.approx(1.25))
    assert case.any_duration
    found = assess(sample, [], 0.95, scenario_)
    assert found.smallest and 1.3 < found.smallest < 1.5
    with pytest.raises(NoStatementError, match="there is no ratio"):
        case_of(seen(scenario_, [10.0, 11.0], targets=[12.0, 0.0]))
    extremes = made("latency_max{tenant=A} <= 1.2x tenant=B", more=f"{tenants('A', 'B')}\n")
    with pytest.raises(NoStatementError, match="extremes"):
        case_of(seen(extremes, VARIED, targets=VARIED))


def test_a_relative_objective_with_a_confidence() -> None:
    """FAIL takes the whole interval of the ratio: what is detected is larger by about its half width, here of a factor 1.5."""
    text, tenants_ = "latency_p95{tenant=A} <= 1.2x tenant=B", f"{tenants('A', 'B')}\n"
    plain, strict = made(text, more=tenants_), made(f'{{objective: "{text}", confidence: 95%}}', more=tenants_)
    values, targets = [10.0, 11.0, 9.0, 10.5, 9.5], [12.0] * 5
    one = assess(seen(plain, values, targets=targets), [], 0.95, plain)
    sample = seen(strict, values, targets=targets)
    widths = tuple(msgspec.structs.replace(each, half_width=math.log(1.5)) for each in sample.outcomes)
    other = assess(replace(sample, outcomes=widths), [], 0.95, strict)
    assert one.smallest and other.smallest == pytest.approx(1.5 * one.smallest, rel=1e-3)
    without = replace(sample, outcomes=tuple(msgspec.structs.replace(each, half_width=None) for each in widths))
    with pytest.raises(NoStatementError, match="too few independent observations"):
        case_of(without)


def test_few_observations_beyond_a_relative_quantile() -> None:
    scenario_ = made("latency_p99{tenant=A} <= 1.2x tenant=B", more=f"{tenants('A', 'B')}\n")
    few, enough = (seen(scenario_, VARIED, samples=n, targets=VARIED[::-1]) for n in (900, 1_000))
    [note] = case_of(few).notes
    assert "about 900 observations" in note and "about 1,000 are needed" in note
    assert case_of(enough).notes == ()


def test_an_objective_about_a_phase_names_no_duration() -> None:
    scenario_ = made("success_rate{phase=early} >= 80%", more="phases: [{name: early, at: 0s, for: 1h}]\n")
    found = assess(seen(scenario_, VARIED), [], 0.95, scenario_)
    assert [each.duration_s for each in found.violations] == [None]
    assert "a longer run has no more of a phase" in " ".join(found.notes)


def test_a_confidence_takes_more_for_pass_and_for_fail() -> None:
    plain, strict = made("success_rate >= 80%"), made("{objective: success_rate >= 80%, confidence: 95%}")
    values = [0.9, 0.91, 0.89, 0.905, 0.895]
    one, other = assess(seen(plain, values), [], 0.95, plain), assess(seen(strict, values), [], 0.95, strict)
    # Seen with 95 %: 1.645 standard errors beyond the target, and 1.96 more where the interval must not hold it.
    assert one.smallest and other.smallest
    assert (0.8 - other.smallest) / (0.8 - one.smallest) == pytest.approx((1.645 + 1.96) / 1.645, rel=0.03)
    assert one.pass_probability == pytest.approx(0.5, abs=0.03)
    assert other.pass_probability == pytest.approx(0.025, abs=0.008)


def test_a_confidence_of_a_growth_is_part_of_its_fail() -> None:
    plain = made("queue_depth_growth <= 4/h")
    strict = made("{objective: queue_depth_growth <= 4/h, confidence: 95%}")
    one, other = (assess(seen(each, VARIED), [], 0.95, each) for each in (plain, strict))
    assert one.smallest and other.smallest == pytest.approx(one.smallest + 2.0)


def test_a_slope_gets_better_with_observations_and_with_time() -> None:
    detector = case_of(seen(made("queue_depth_growth <= 4/h"), VARIED)).detector
    assert isinstance(detector, SpreadDetector) and detector.shrinks == 1.5


def test_a_warm_up_comes_on_top_of_the_observation_that_is_needed() -> None:
    cold, warm = made("success_rate >= 80%"), made("success_rate >= 80%", more="warmup: 2h\n")
    (one,), (other,) = (assess(seen(each, VARIED), [], 0.95, each).violations for each in (cold, warm))
    assert one.duration_s and other.duration_s == pytest.approx(one.duration_s + 7200)


def test_an_abort_condition_that_comes_first_is_told() -> None:
    scenario_ = made("success_rate >= 80%", more="abort: [{name: collapse, when: success_rate < 50%}]\n")
    notes = assess(seen(scenario_, VARIED), [], 0.95, scenario_).notes
    assert "the abort condition collapse (success_rate < 50%) may end such a run first" in " ".join(notes)


def test_few_samples_are_told() -> None:
    scenario_ = made("{objective: success_rate >= 80%, min_samples: 900}")
    case = case_of(seen(scenario_, VARIED))
    assert case.detector.probability(0.0, 8.9) == 0.0
    assert case.detector.probability(0.0, 9.0) == pytest.approx(1.0)


# What is asked for.

ASKED = made(
    "success_rate >= 97%", "latency_p95 <= 120s", "duplicate_executions == 0", "latency_max <= 5m", "retries <= 40"
)


@pytest.mark.parametrize(
    ("text", "size", "hourly"),
    [
        ("success_rate=96.5%", 0.965, False),
        (" latency_p95 = 130s ", 130.0, False),
        ("duplicate_executions=0.01%", 0.0001, False),
        ("duplicate_executions=2/h", 2.0, True),
        ("latency_max=1/d", 1 / 24, True),
        ("retries=5/h", 5.0, True),
    ],
)
def test_a_violation_is_read(text: str, size: float, hourly: bool) -> None:
    (asked,) = parse_violations([text], ASKED.objectives)
    assert asked.size == pytest.approx(size) and asked.hourly == hourly
    assert asked.on(Scale.SHARE, 1000.0) == pytest.approx(size / 1000 if hourly else size)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sucess_rate=96%", "no objective is about 'sucess_rate' (did you mean 'success_rate'?)"),
        ("wait_p95=96s", "no objective is about 'wait_p95'"),
        ("success_rate", "is not a violation (write <sli>=<size>, such as success_rate=96.5%"),
        ("success_rate==96%", "is not a violation"),
        (
            "success_rate=98%",
            "success_rate >= 97% holds at that value: it is not a violation (name one below the target)",
        ),
        (
            "latency_p95=120s",
            "latency_p95 <= 120s holds at that value: it is not a violation (name one above the target)",
        ),
        ("latency_p95=long", "'long' is not a duration (write 120s or 1m30s)"),
        ("duplicate_executions=many", "'many' is not a share of the opportunities (write 0.01% or 2/h)"),
        ("latency_max=10m", "'10m' is not a rate of events (write 1/d or 0.5/h)"),
        ("success_rate{tenant=A}=96%", "no objective has these labels (there are: success_rate >= 97%)"),
        ("success_rate{tenant}=96%", "'tenant' is not a label"),
    ],
)
def test_a_violation_that_is_none(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_violations([text], ASKED.objectives)
    assert message in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_violation_below_what_a_count_allows() -> None:
    scenario_ = made("excess_attempts <= 40")
    for text, size in (("excess_attempts=4%", 0.04), ("excess_attempts=4/h", 0.04)):
        asked = parse_violations([text], scenario_.objectives)
        with pytest.raises(UsageError, match="holds at that value"):
            assess(seen(scenario_, VARIED), asked, 0.95, scenario_)
        worse = parse_violations([text.replace("=4", "=8")], scenario_.objectives)
        (violation,) = assess(seen(scenario_, VARIED), worse, 0.95, scenario_).violations
        assert violation.asked and violation.size == pytest.approx(2 * size)


def test_a_violation_is_about_the_objectives_with_its_labels() -> None:
    labelled = made("success_rate{tenant=*} >= 97%", "success_rate >= 90%", more=f"{tenants('A', 'B')}\n").objectives
    assert len(parse_violations(["success_rate{tenant=A}=96%"], labelled)) == 1
    assert len(parse_violations(["success_rate=80%"], labelled)) == 3


def test_a_factor_is_asked_for() -> None:
    relative = made("latency_p95{tenant=A} <= 1.2x tenant=B", more=f"{tenants('A', 'B')}\n").objectives
    assert parse_violations(["latency_p95=1.3x"], relative)[0].size == 1.3
    with pytest.raises(UsageError, match="not a factor"):
        parse_violations(["latency_p95=130s"], relative)
    with pytest.raises(UsageError, match="it is not a violation"):
        parse_violations(["latency_p95=1.1x"], relative)


# Words.


def shown(objective: str, size: float) -> str:
    scenario_ = made(objective)
    return size_words(assess(seen(scenario_, VARIED), [], 0.95, scenario_), size)


def test_sizes_are_shown_as_they_are_asked_for() -> None:
    assert shown("success_rate >= 97%", 0.96823) == "96.82%"
    assert shown("success_rate == 100%", 0.9999) == "99.99%"
    assert shown("success_rate == 100%", 0.999987) == "99.9987%"
    assert shown("success_rate >= 97%", 0.0) == "0%"
    assert shown("latency_p95 <= 120s", 130) == "130s"
    assert shown("duplicate_executions == 0", 0.0000979) == "0.00979%"
    assert shown("latency_max <= 5m", 1 / 24) == "once in 24h"
    assert shown("retries <= 40", 41.26) == "41.3/h"


def test_probabilities_are_not_rounded_to_certainty() -> None:
    assert [probability_words(each) for each in (1.0, 0.99999, 0.9501, 0.00001)] == [
        "> 99.9%",
        "> 99.9%",
        "95.0%",
        "< 0.1%",
    ]


@pytest.mark.parametrize(
    ("violation", "words"),
    [
        (Violation(0.1, None, True, 0.96, True, 70.5 * 3600, False), "72h is enough: needs 70h30m"),
        (Violation(0.1, None, True, 0.96, True, 3.6 * 3600, True), "72h is enough: needs less than 3h36m"),
        (Violation(0.1, None, True, 0.5, False, 144 * 3600.0, False), "72h is too short: needs 6d, 2 times as long"),
        (Violation(0.1, None, True, 0.5, False, None, False), "72h is not enough: detected with 50.0%"),
        (Violation(0.1, None, True, 0.97, True, None, False), "72h is enough: detected with 97.0%"),
    ],
)
def test_whether_a_duration_is_enough(violation: Violation, words: str) -> None:
    report = PowerReport(1, "x", "", "", 72 * 3600.0, 0.0, 1, 20, 0, 0.95, True, list[ObjectivePower]())
    assert duration_words(violation, report) == words


def test_a_short_run_is_told_to_the_second_and_large_factors_in_figures() -> None:
    report = PowerReport(1, "x", "", "", 10.0, 0.0, 1, 20, 0, 0.95, True, list[ObjectivePower]())
    words = [
        duration_words(Violation(0.1, None, True, 0.5, False, seconds, False), report) for seconds in (19.1, 48_306.0)
    ]
    assert words == [
        "10s is too short: needs 20s, 1.91 times as long",
        "10s is too short: needs 13h25m, 4,831 times as long",
    ]
