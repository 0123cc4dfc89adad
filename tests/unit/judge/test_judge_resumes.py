"""Runs that went on after their runner was gone: the later end counts, and what was not observed is a gap."""

from itertools import combinations

import pytest
from histories import block_of, judge, pieces, verdict

from soak.runner.ends import end_after
from soak.schemas.evidence.verdict import End, Outcome, Resume, paused_s
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind

BEFORE = """
0 run.started
0 enqueued 1
1 dispatched 1 w0
1 started 1 w0
5 ended 1 ran=4
5 done 1
6 enqueued 2
"""
FIRST_END = "9 census pending=1 done=1\n9 run.interrupted\n"
RESUMED = "9 run.paused pause=7200\n9 run.resumed gap=100\n"
AFTER = """
20 dispatched 2 w0
20 started 2 w0
25 ended 2 ran=5
25 done 2
26 enqueued 3
27 dispatched 3 w0
30 done 3
"""
LAST_END = "40 census done=3\n40 run.ended 3\n"


@pytest.mark.parametrize(
    ("story", "end"),
    [
        (BEFORE, End.CUT),
        (BEFORE + FIRST_END, End.INTERRUPTED),
        (BEFORE + FIRST_END + RESUMED, End.CUT),
        (BEFORE + FIRST_END + RESUMED + AFTER, End.CUT),
        (BEFORE + FIRST_END + RESUMED + AFTER + LAST_END, End.COMPLETED),
        (BEFORE + FIRST_END + RESUMED + AFTER + FIRST_END.replace("9 ", "40 "), End.INTERRUPTED),
    ],
)
def test_the_last_word_says_how_a_stream_ends(story: str, end: End) -> None:
    block = block_of(story)
    for cuts in ((), *((cut,) for cut in range(1, len(block)))):
        assert ended(pieces(block, cuts)) is end


def ended(blocks: list[Block]) -> End:
    end = End.CUT
    for block in blocks:
        end = end_after(block, end)
    return end


def test_the_census_of_an_end_that_was_none_is_forgotten() -> None:
    story = BEFORE + FIRST_END + RESUMED + AFTER
    assert judge(BEFORE + FIRST_END).lifecycle.uncounted_tasks() == 0
    length, at = len(block_of(story)), int((block_of(story).kind == Kind.RUN_RESUMED).argmax())
    for cuts in ((), *combinations(range(at - 3, length), 2)):
        # Without a census of the later end it is not known; with one, that counts.
        assert judge(story, cuts=cuts).lifecycle.uncounted_tasks() is None
        assert judge(story + LAST_END, cuts=cuts).lifecycle.uncounted_tasks() == 0


def test_gap_and_pause_are_told_apart_wherever_blocks_end() -> None:
    story = BEFORE + RESUMED + AFTER + RESUMED.replace("9 ", "30 ").replace("7200", "1").replace("100", "3")
    for cuts in ((), *((cut,) for cut in range(1, len(block_of(story))))):
        assert judge(story, cuts=cuts).resumes == [Resume(9.0, 100.0, 7200.0), Resume(30.0, 3.0, 1.0)]


@pytest.mark.parametrize(("allowed", "outcome"), [("99s", Outcome.INCONCLUSIVE), ("100s", Outcome.PASS)])
def test_what_was_not_observed_is_a_gap_and_the_pause_is_none(allowed: str, outcome: Outcome) -> None:
    story = BEFORE + FIRST_END + RESUMED + AFTER + LAST_END
    found = verdict(story, f"slos: [success_rate == 100%]\ntelemetry: {{max_gap: {allowed}}}")
    assert (found.verdict, found.end) == (outcome, End.COMPLETED)
    assert found.reasons == [] if outcome is Outcome.PASS else ["no event or sample for 100s (allowed: 99s)"]


def test_wall_clock_time_has_the_pauses_in_it() -> None:
    resumes = [Resume(9.0, 100.0, 7200.0), Resume(300.0, 0.0, 1.5)]
    assert [paused_s(resumes, t_s) for t_s in (0.0, 109.0, 110.0, 300.0, 301.0)] == [0.0, 0.0, 7200.0, 7200.0, 7201.5]
