"""Durations, rates, ratios and sizes: read as the schema says, and shown so that a person can write them back."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas import units
from soak.schemas.language.expression import Unit
from soak.schemas.language.schema import read_schema

DEFINITIONS = read_schema("scenario")["$defs"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("72h", 259_200.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5s", 1.5),
        ("2w1d", 1_296_000.0),
        ("0s", 0.0),
        ("90m", 5400.0),
    ],
)
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    assert units.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-1s", "1 h", "30s5m", "1h1h", "1.h", ".5h", "1H", "5min", "1h\n", "１h"]
)
def test_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        units.duration(text)


@pytest.mark.parametrize(
    ("text", "per_second"), [("5/min", 5 / 60), ("100/s", 100.0), ("0.5/h", 0.5 / 3600), ("1/d", 1 / 86_400)]
)
def test_a_rate_per_second(text: str, per_second: float) -> None:
    assert units.rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "5", "5/m", "5/minute", "/s", "-5/s", "5 /s", "1e3/s"])
def test_not_a_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        units.rate(text)


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 0.1), ("0.1", 0.1), (0.1, 0.1), (1, 1.0), ("100%", 1.0), ("0%", 0.0)]
)
def test_a_ratio(text: str | float, share: float) -> None:
    assert units.ratio(text) == share


@pytest.mark.parametrize("text", ["", "10 %", "ten", "-1%", "101%", 1.5, -0.1, "1.01", float("nan")])
def test_not_a_ratio(text: str | float) -> None:
    with pytest.raises(ValueError, match="is not"):
        units.ratio(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("600MB", 6e8), ("64MiB", 2**26), ("1.5kB", 1500), ("7B", 7), ("1KB", 1000)]
)
def test_a_size_in_bytes(text: str, size_bytes: float) -> None:
    assert units.size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "600", "600mb", "-1B", "1 MB", "MB", "1MBit"])
def test_not_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        units.size(text)


@given(st.text("0123456789.wdhms ", max_size=12))
def test_the_schema_and_the_reader_agree_on_durations(text: str) -> None:
    assert bool(re.fullmatch(DEFINITIONS["duration"]["pattern"], text)) == reads(units.duration, text)


@given(st.text("0123456789./smindh", max_size=12))
def test_the_schema_and_the_reader_agree_on_rates(text: str) -> None:
    assert bool(re.fullmatch(DEFINITIONS["rate"]["pattern"], text)) == reads(units.rate, text)


@given(st.text("0123456789.%", max_size=8))
def test_a_percentage_of_the_schema_is_read(text: str) -> None:
    assert not re.fullmatch(DEFINITIONS["ratio"]["pattern"], text) or reads(units.ratio, text)


@given(st.text(max_size=20))
def test_only_a_value_error_is_raised(text: str) -> None:
    for read in (units.duration, units.rate, units.ratio, units.size):
        reads(read, text)


def reads(read: object, text: str) -> bool:
    """Whether `text` is read; any error but ValueError is raised."""
    assert callable(read)
    try:
        read(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.00934, "9.34ms"),
        (0.9996, "0.9996s"),
        (85.2, "85.2s"),
        (600.0, "10m"),
        (5400.0, "1h30m"),
        (259_200.0, "72h"),
        (345_600.0, "4d"),
        (-2.0, "-2s"),
    ],
)
def test_a_duration_is_shown(seconds: float, text: str) -> None:
    assert units.show_duration(seconds) == text


@given(st.floats(1e-5, 3e8))
def test_a_shown_duration_reads_back_within_two_percent(seconds: float) -> None:
    assert units.duration(units.show_duration(seconds)) == pytest.approx(seconds, rel=0.02)


@given(st.floats(1e-6, 1e9))
def test_a_shown_rate_reads_back(per_second: float) -> None:
    assert units.rate(units.show_rate(per_second)) == pytest.approx(per_second, rel=1e-3)


@given(st.floats(1, 1e18))
def test_a_shown_size_reads_back(size_bytes: float) -> None:
    assert units.size(units.show_size(size_bytes)) == pytest.approx(size_bytes, rel=1e-3)


@given(st.integers(1, 50_000_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_a_miss_is_never_shown_as_all_or_nothing(counts: tuple[int, int]) -> None:
    good, total = counts
    text = units.show_ratio(good / total)
    assert (text == "100%") == (good == total)
    assert (text == "0%") == (good == 0)
    assert units.ratio(text) == pytest.approx(good / total, abs=1e-4)


def test_counts_are_shown_whole_where_they_are() -> None:
    assert [units.show_count(value) for value in (0, 1234567, 2.5, 32741.6)] == [
        "0", "1,234,567", "2.5", "32,742",
    ]  # fmt: skip


# Beside a target.

targets = st.one_of(
    st.integers(10**6, 10**12).map(lambda n: n / 1e6), st.sampled_from([0.999, 0.97, 1.0, 60.0, 3600.0])
)


@given(
    unit=st.sampled_from([each for each in Unit if each is not Unit.ANSWER]),
    target=targets,
    apart=st.floats(-0.5, 1),
    scale=st.integers(0, 5),
)
def test_a_value_is_shown_on_its_side_of_the_target(unit: Unit, target: float, apart: float, scale: int) -> None:
    target = min(target, 1.0) if unit is Unit.RATIO else target
    value = target * (1 + apart * 10.0**-scale)
    value = min(max(value, 0.0), 1.0) if unit is Unit.RATIO else max(value, 0.0)
    text = unit.show_beside(value, target).replace(",", "")
    if abs(value - target) > 1e-7 * target:
        shown = unit.parse(text)
        assert (shown > target) == (value > target), text
        assert (shown < target) == (value < target), text


def test_without_a_target_nothing_changes() -> None:
    assert Unit.DURATION.show_beside(85.2345, None) == Unit.DURATION.show(85.2345) == "85.23s"
    assert Unit.DURATION.show_beside(85.2345, 120.0) == "85.23s"
    assert Unit.RATIO.show_beside(0.97, 0.97) == "97%"


@given(st.integers(0, 10**6), st.sampled_from([("ms", 1000), ("s", 1), ("%", 100), ("MB", 10**-6)]))
def test_decimal_figures_are_the_nearest_float(number: int, unit: tuple[str, float]) -> None:
    name, parts = unit
    text = f"{number / 1000:.3f}{name}"
    parse = {"%": Unit.RATIO, "MB": Unit.SIZE}.get(name, Unit.DURATION).parse
    if name != "%" or number <= 100_000:
        assert parse(text) == float(Fraction(number, 1000) / Fraction(str(parts)))


@pytest.mark.parametrize(
    ("unit", "margin", "target", "shown"),
    [
        (Unit.RATE, -10 / 60, 5 / 60, "-10/min"),
        (Unit.RATE, 0.5 / 60, 5 / 60, "0.5/min"),
        (Unit.RATE, -2.0, 3.0, "-2/s"),
        (Unit.RATE, -2.0, None, "-2/s"),
        (Unit.DURATION, 37.5, 120.0, "37.5s"),
    ],
)
def test_a_margin_has_the_unit_of_its_target(unit: Unit, margin: float, target: float | None, shown: str) -> None:
    assert unit.show_margin(margin, target) == shown
