"""The alerts of a correct pipeline, minute by minute."""

import numpy as np

from soak.schemas.systems.pipeline.settings import Alerts
from soak.simulation.pipeline.flow import FIRST, LOW, STRONG, Flow
from soak.simulation.pipeline.minutes import Minutes
from soak.simulation.pipeline.rules import Minute, Rules

ALL = Alerts(no_records_s=120.0, low_consistency=0.8, strong_ratio=0.02, tolerance_s=60.0)


def changes(*minutes: tuple[int, int, int], alerts: Alerts = ALL) -> list[tuple[int, str, bool]]:
    rules = Rules(alerts)
    return [
        (number, rule.value, fires)
        for number, minute in enumerate(minutes)
        for rule, fires in rules.minute(Minute(*minute))
    ]


USUAL = (100, 11, 20)


def test_no_records_fires_after_whole_minutes_without_any_and_resolves_with_the_next_that_has_some() -> None:
    empty = (0, 0, 0)
    assert changes(USUAL, empty, USUAL, empty, empty, empty, USUAL) == [
        (4, "no_records", True),
        (6, "no_records", False),
    ]


def test_a_share_fires_beyond_its_limit_and_not_at_it() -> None:
    assert changes((100, 11, 80), (100, 11, 81), (100, 11, 80)) == [
        (1, "low_consistency", True),
        (2, "low_consistency", False),
    ]
    assert changes((100, 2, 0), (100, 1, 0), (100, 2, 0)) == [(1, "strong_ratio", True), (2, "strong_ratio", False)]


def test_a_minute_without_records_says_nothing_of_shares() -> None:
    assert changes((100, 11, 90), (0, 0, 0), USUAL) == [(0, "low_consistency", True), (2, "low_consistency", False)]


def test_without_rules_there_are_no_alerts() -> None:
    none = Alerts(None, None, None, tolerance_s=60.0)
    assert changes((0, 0, 0), (0, 0, 0), (100, 0, 100), alerts=none) == []


def flow(sent_s: list[float], marks: list[int]) -> Flow:
    count = np.arange(len(sent_s))
    return Flow(count, np.array(sent_s), np.array(sent_s), count, np.array(marks), np.full(len(sent_s), FIRST))


def test_records_count_in_the_minute_in_which_they_were_sent() -> None:
    minutes = Minutes(until_s=130.0)
    minutes.add(flow([0.0, 59.9, 60.0, 125.0], [STRONG, LOW, STRONG | LOW, 0]))
    assert minutes.count == 2
    assert [minutes.close(0), minutes.close(1)] == [Minute(2, 1, 1), Minute(1, 1, 1)]
    assert [Minutes.closes_s(0), Minutes.closes_s(1)] == [61.0, 121.0]
