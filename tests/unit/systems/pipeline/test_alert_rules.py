"""The three alerts, minute by minute."""

from soak.systems.pipeline.figures import Tally
from soak.systems.pipeline.rules import Rules
from soak.systems.pipeline.settings import Alerts, NoRecords

USUAL = Tally(total=100, strong=11, confirm=9, low_consistency=20)
EMPTY = Tally()


def states(*tallies: Tally, alerts: Alerts | None = None) -> list[tuple[int, str, str]]:
    rules = Rules(alerts or Alerts(), minute_s=60.0)
    return [(number, each.rule, each.state) for number, t in enumerate(tallies) for each in rules.minute(number, t)]


def test_usual_minutes_raise_nothing() -> None:
    assert states(USUAL, USUAL, EMPTY, USUAL) == []


def test_two_minutes_without_records_fire_and_the_first_with_some_resolves() -> None:
    expected = [(2, "no_records", "fired"), (4, "no_records", "resolved")]
    assert states(USUAL, EMPTY, EMPTY, EMPTY, USUAL, USUAL) == expected


def test_a_run_that_begins_without_records() -> None:
    assert states(EMPTY, EMPTY) == [(1, "no_records", "fired")]


def test_how_long_is_in_minutes_of_scenario_time() -> None:
    for seconds in (3.0, 2.5, 3.0 * (1 + 1e-12)):
        rules = Rules(Alerts(no_records=NoRecords(seconds)), minute_s=1.0)
        assert [bool(rules.minute(number, EMPTY)) for number in range(4)] == [False, False, True, False]


def test_low_consistency_is_above_its_limit() -> None:
    at, above = Tally(total=100, strong=11, low_consistency=80), Tally(total=100, strong=11, low_consistency=81)
    assert states(at, above, above, at) == [(1, "low_consistency", "fired"), (3, "low_consistency", "resolved")]


def test_strong_ratio_is_below_its_limit() -> None:
    at, below = Tally(total=100, strong=2), Tally(total=100, strong=1)
    assert states(at, below, at) == [(1, "strong_ratio", "fired"), (2, "strong_ratio", "resolved")]


def test_without_records_there_is_no_share_to_be_alerted_of() -> None:
    weak = Tally(total=100, strong=1)
    assert states(weak, EMPTY, USUAL) == [(0, "strong_ratio", "fired"), (1, "strong_ratio", "resolved")]


def test_a_rule_that_is_not_there_does_not_fire() -> None:
    assert states(EMPTY, EMPTY, EMPTY, alerts=Alerts(no_records=None)) == []


def test_levels_and_details() -> None:
    rules = Rules(Alerts(), minute_s=60.0)
    rules.minute(0, EMPTY)
    (fired,) = rules.minute(1, EMPTY)
    assert (fired.level, fired.minute, fired.details) == ("critical", 1, "2 minutes without records")
    assert rules.firing == {"no_records"}
    (_, weak) = rules.minute(2, Tally(total=200, strong=3))
    assert (weak.level, weak.details) == ("warning", "strong: 1.50 %, limit 2 %")
