"""What events amount to per minute, in metrics.csv."""

import numpy as np
import pytest

from soak.runner.evidence.amounts import Amounts
from soak.schemas.language.room import Amount
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind

AMOUNTS = (
    Amount(Kind.RECORDS_SENT),
    Amount(Kind.RECORDS_STORED, records=True, worker=3),
    Amount(Kind.SAMPLE_BACKLOG, worker=0, most=True),
)
EVENTS = [
    (1.0, Kind.RECORDS_SENT, -1, 0, 5.5),
    (2.0, Kind.RECORDS_STORED, 3, 7, 0.2),
    (2.0, Kind.RECORDS_STORED, 4, 9, 0.2),
    (3.0, Kind.SAMPLE_BACKLOG, 0, 0, 4.0),
    (4.0, Kind.SAMPLE_BACKLOG, 0, 0, 2.0),
    (5.0, Kind.SAMPLE_BACKLOG, 1, 0, 9.0),
    (61.0, Kind.RECORDS_SENT, -1, 0, 3.0),
    (130.0, Kind.RECORDS_STORED, 3, 1, 0.1),
]
EXPECTED = [[5.5, 7.0, 4.0], [3.0, 0.0, np.nan], [0.0, 1.0, np.nan]]


def block(events: list[tuple[float, Kind, int, int, float]], until_s: float) -> Block:
    t, kind, worker, records, value = zip(*events, strict=True)
    return make_block(t, kind, until_s=until_s, worker=worker, attempt=records, value=value)


def minutes(events: Block) -> list[int]:
    return [int(t // 60) for t in events.t.tolist()]


def test_sums_and_largest_values_of_each_minute() -> None:
    whole = block(EVENTS, 180.0)
    assert np.array_equal(Amounts(AMOUNTS).minutes(whole, np.array(minutes(whole)), 3), EXPECTED, equal_nan=True)


@pytest.mark.parametrize("cut", range(1, len(EVENTS)))
def test_a_minute_goes_on_in_the_next_block(cut: int) -> None:
    amounts, first, then = Amounts(AMOUNTS), block(EVENTS[:cut], 180.0), block(EVENTS[cut:], 180.0)
    begun = minutes(first)[-1]
    rows = amounts.minutes(first, np.array(minutes(first)), begun + 1)[:-1]
    rest = amounts.minutes(then, np.array(minutes(then)) - begun, 3 - begun)
    assert np.array_equal(np.concatenate([rows, rest]), EXPECTED, equal_nan=True)
