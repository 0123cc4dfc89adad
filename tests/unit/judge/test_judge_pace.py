"""Whether the programs of a system waited as long as their faster clock says."""

import pytest
from histories import foreign, judge, verdict
from msgspec.structs import replace

from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.stream.identity import Identity

FAST = replace(foreign("at_least_once", level=2), speed=60.0)


def history(*samples: float) -> str:
    """A task that takes 30 s, and samples of the clock."""
    lines = [f"{10 + place} clock {value}" for place, value in enumerate(samples)]
    return "\n".join(["0 enqueued 1", "1 dispatched 1 w0", "2 started 1 w0", *lines, "32 ended 1 w0", "32 done 1 w0"])


def doubts(*samples: float, who: Identity = FAST, cuts: tuple[int, ...] = ()) -> list[str]:
    return list(
        judge(history(*samples), "slos: [latency_p95 <= 1h]", identity=who, cuts=cuts).lifecycle.tracker.load_doubts()
    )


@pytest.mark.parametrize("cuts", [(), (4,), (4, 5)])
def test_waits_that_take_too_long_are_a_doubt_wherever_blocks_end(cuts: tuple[int, ...]) -> None:
    # The mean of 59, 58 and 57 is 58: one part in 29 too long.
    what = "waits of the system's programs took 3.4% longer than by their clock, which runs 60 times as fast"
    assert doubts(59, 58, 57, cuts=cuts) == [f"{what} (lower clock: faketime, or run it on a less busy machine)"]


def test_up_to_one_per_cent_is_allowed_and_nothing_is_said_without_samples() -> None:
    assert doubts(60, 59.5, 59.5) == []
    assert doubts(59.3, 59.3) != []
    assert doubts() == []


def test_a_clock_that_hardly_moves_is_a_doubt() -> None:
    assert len(doubts(0.0)) == 1


def test_times_are_not_judged_then() -> None:
    made = verdict(history(50), "slos: [latency_p95 <= 10s]", identity=FAST)
    assert (made.verdict, made.objectives[0].status) == (Outcome.INCONCLUSIVE, Status.INCONCLUSIVE)
    assert "longer than by their clock" in made.objectives[0].detail
    assert verdict(history(60), "slos: [latency_p95 <= 10s]", identity=FAST).objectives[0].status is Status.FAIL
