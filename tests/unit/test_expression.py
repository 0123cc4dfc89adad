"""The grammar of objectives, conditions and event filters, and what they come to mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.language.comparison import Context, condition, event_filter, objectives
from soak.schemas.language.conditions import Reference
from soak.schemas.language.expression import Op, UnclearError, Unit, parse_expression, parse_filter
from soak.schemas.language.registry import catalogues

CONTEXT = Context(catalogues()["queue"], {"tenant": ("A", "B"), "phase": ("baseline", "burst")})
NAMES = st.from_regex("[a-z][a-z0-9_]{0,9}", fullmatch=True)
VALUES = st.from_regex("[A-Za-z0-9_.-]{1,6}", fullmatch=True)
SELECTORS = st.dictionaries(NAMES, VALUES, max_size=3)
BLANKS = st.sampled_from(["", " ", "  "])


# The grammar.


@given(NAMES, SELECTORS, st.sampled_from(list(Op)), st.sampled_from(["97%", "120s", "0", "1MB/h"]), BLANKS)
def test_an_expression_is_read_as_written(sli: str, labels: dict[str, str], op: Op, target: str, gap: str) -> None:
    selector = f"{{{f',{gap}'.join(f'{key}{gap}={gap}{value}' for key, value in labels.items())}}}" if labels else ""
    parsed = parse_expression(f"{gap}{sli}{gap}{selector}{gap}{op}{gap}{target}{gap}")
    assert (parsed.sli, dict(parsed.selector), parsed.op, parsed.target) == (sli, labels, op, target)
    assert parsed.relative is None


def test_a_relative_target_is_read() -> None:
    relative = parse_expression("latency_p99{phase=burst} <= 1.2x phase=baseline, tenant=A").relative
    assert relative is not None
    assert (relative.factor, relative.selector) == (1.2, (("phase", "baseline"), ("tenant", "A")))


@given(st.from_regex("[a-z]{1,5}[.][a-z_]{1,5}", fullmatch=True), SELECTORS)
def test_a_filter_is_read_as_written(event: str, fields: dict[str, str]) -> None:
    parsed = parse_filter(
        event + (f"{{{', '.join(f'{key}={value}' for key, value in fields.items())}}}" if fields else "")
    )
    assert (parsed.type, dict(parsed.fields)) == (event, fields)


@given(st.text(max_size=40) | st.text("abc_{}=,<>!*x.% 019", max_size=40))
def test_random_text_is_read_or_unclear(text: str) -> None:
    for read in (parse_expression, parse_filter, lambda each: list(objectives(each, CONTEXT))):
        try:
            read(text)
        except UnclearError as error:
            assert error.what and error.remedy
            assert "\n" not in str(error)


@pytest.mark.parametrize("blank", [" ", "\t"])
def test_a_megabyte_of_blanks_is_refused_at_once(blank: str) -> None:
    with pytest.raises(UnclearError, match="has 1,000,003 characters"):
        parse_expression(f"a {blank * 1_000_000}<")


# Operators and units.


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_operators_come_in_opposites(value: float, target: float) -> None:
    for op, opposite in ((Op.LE, Op.GT), (Op.GE, Op.LT), (Op.EQ, Op.NE)):
        assert op.holds(value, target) != opposite.holds(value, target)


@pytest.mark.parametrize("unit", list(Unit))
def test_a_unit_reads_back_what_it_shows(unit: Unit) -> None:
    for value in (0.0, 1.0) if unit is Unit.ANSWER else (0.5,):
        assert unit.parse(unit.show(value)) == pytest.approx(value, rel=1e-3)
    assert unit.symbol


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("text", ["", "x", "1e3", "9" * 400, "inf", "nan", "1,000"])
def test_a_unit_refuses_what_is_not_a_finite_amount(unit: Unit, text: str) -> None:
    with pytest.raises(UnclearError, match="is not a"):
        unit.parse(text)


# What expressions mean.


def test_a_star_stands_for_each_value_by_itself() -> None:
    found = list(objectives("latency_p95{tenant = *, phase=*} <= 120s", CONTEXT))
    assert [each.text for each in found] == [
        f"latency_p95{{tenant={tenant}, phase={phase}}} <= 120s"
        for tenant in ("A", "B")
        for phase in ("baseline", "burst")
    ]
    assert [dict(each.selector) for each in found][1] == {"tenant": "A", "phase": "burst"}
    assert {each.target for each in found} == {120.0}


def test_a_relative_target_keeps_the_labels_it_does_not_name() -> None:
    (found,) = objectives("latency_p99{tenant=A, phase=burst} <= 1.2x phase=baseline", CONTEXT)
    assert found.target == Reference(1.2, (("tenant", "A"), ("phase", "baseline")))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("latency_p95 == 2s", "never exactly equal"),
        ("latency_p95 != 1x phase=burst", "never exactly equal"),
        ("latency_p95{tenant=A} <= 2x tenant=A", "with itself"),
        ("latency_p95{tenant=C} <= 2s", "the scenario declares no tenant 'C'"),
        ("rss{tenant=A} <= 1GB", "covers the whole system"),
        ("nothing <= 2s", "unknown SLI 'nothing'"),
    ],
)
def test_an_objective_that_means_nothing(text: str, what: str) -> None:
    with pytest.raises(UnclearError, match=what):
        list(objectives(text, CONTEXT))


@pytest.mark.parametrize(
    "text",
    ["duplicate_executions == 0", "duplicate_block_rate == 100%", "latency_max == 0s", "open_files_growth == 0/h"],
)
def test_counts_and_zero_can_be_hit_exactly(text: str) -> None:
    assert len(list(objectives(text, CONTEXT))) == 1


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("stall_time < 5m", False),
        ("stall_time >= 5m", True),
        ("queue_depth == 3", True),
        ("latency_max != 0s", False),
        ("rss_growth > 1MB/h", False),
        ("latency_p95 > 2x phase=baseline", False),
        ("latency_p95{tenant=*} > 1m", False),
    ],
)
def test_a_condition_that_cannot_be_watched(text: str, window: bool) -> None:
    with pytest.raises(UnclearError):
        condition(text, CONTEXT, window=window)


def test_a_condition_that_can_be_watched() -> None:
    assert condition("queue_depth == 3", CONTEXT, window=False).target == 3.0
    assert condition("latency_p95{tenant=A} > 1m", CONTEXT, window=True).selector == (("tenant", "A"),)


def test_an_event_filter_names_what_exists() -> None:
    assert event_filter("task.retry{fault=net, tenant=A, error=any}", ["net"], ("A",)).type == "task.retry"
    for text in ("task.redo", "task.retry{fault=nett}", "task.retry{tenant=B}", "task.retry{colour=red}"):
        with pytest.raises(UnclearError):
            event_filter(text, ["net"], ("A",))
