"""What becomes of rows of ledgers, by stories of a few lines: numbers of processes are 0 to 2, of sinks 3 and 4."""

from pathlib import Path

import numpy as np
import pytest
from pipeline_story import BROKER, DB, EVIDENCE, FILE, HARVEST, SCENARIO, SIGNAL, TARGET, Story

from soak.runner.judge.pipeline import counts
from soak.runner.judge.pipeline.parts import Parts
from soak.runner.judge.samples import Facts
from soak.runner.targets.pipeline.places import CONFIRMED, LOW, STRONG
from soak.runner.targets.pipeline.remains import note_remains
from soak.schemas.stream.events import Kind

CONFIRM = STRONG | CONFIRMED


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A story that begins."""
    return Story(tmp_path)


def test_records_are_sent_taken_and_stored(story: Story) -> None:
    story.sent(range(4), 1.0)
    story.came("raw", range(4), 1.5)
    story.came("file", range(3), 2.0)
    story.close(10.0)
    assert story.told(Kind.RECORDS_SENT, Kind.RECORDS_TAKEN, Kind.RECORDS_STORED) == [
        *[("stored", 2.0, FILE, 1.0)] * 3,
        ("sent", 10.0, -1, 4.0),
        ("taken", 10.0, HARVEST, 4.0),
    ]


def test_latency_is_from_sent_to_stored(story: Story) -> None:
    story.sent([0], 1.0)
    story.came("file", [0], 3.5)
    story.close(10.0)
    block = story.block()
    assert block.value[block.kind == Kind.RECORDS_STORED].tolist() == [2.5]


def test_what_is_stored_after_the_end_of_a_stretch_is_of_the_next(story: Story) -> None:
    story.sent(range(2), 1.0)
    story.came("file", [0], 9.0)
    story.came("file", [1], 11.0)
    story.close(10.0)
    assert story.told(Kind.RECORDS_STORED) == [("stored", 9.0, FILE, 1.0)]
    story.close(20.0)
    assert story.told(Kind.RECORDS_STORED) == [("stored", 11.0, FILE, 1.0)]


def test_a_record_that_a_sink_has_already_is_there_twice(story: Story) -> None:
    story.sent(range(3), 1.0)
    story.came("db", [0, 1, 1], 2.0)
    story.came("db", [0, 2], 3.0)
    story.close(10.0)
    assert story.told(Kind.RECORDS_DUPLICATED) == [("duplicated", 2.0, DB, 2.0)]


def test_duplicates_are_of_the_fault_at_whose_time_they_came(story: Story) -> None:
    story.sent([0], 1.0)
    story.came("db", [0], 2.0)
    story.came("db", [0], 90.0)
    story.came("db", [0], 105.0)
    story.close(110.0)
    block = story.block()
    again = block.kind == Kind.RECORDS_DUPLICATED
    faults = [story.plan.vocabulary.causes[cause].fault for cause in block.cause[again].tolist()]
    assert (block.t[again].tolist(), faults) == ([90.0, 105.0], ["", "kill"])


def test_a_record_that_was_never_sent_is_a_phantom(story: Story) -> None:
    story.sent([0], 1.0)
    story.came("file", [0, 7], 2.0)
    story.close(10.0, 20.0)
    assert story.told(Kind.RECORDS_PHANTOM) == []
    story.close(30.0)
    assert story.told(Kind.RECORDS_PHANTOM) == [("phantom", 30.0, FILE, 1.0)]


def test_a_record_may_be_seen_before_it_is_seen_that_it_was_sent(story: Story) -> None:
    story.came("file", [0], 2.0)
    story.sent([0], 1.0)
    story.close(10.0, 20.0, 30.0, 40.0)
    assert story.told(Kind.RECORDS_STORED, Kind.RECORDS_PHANTOM) == [("stored", 2.0, FILE, 1.0)]


def test_orders_are_counted_once_and_again(story: Story) -> None:
    story.sent(range(3), 1.0, CONFIRM)
    story.came("orders", [0, 1, 0], 2.0)
    story.close(10.0)
    assert story.told(Kind.ORDERS_PLACED, Kind.ORDERS_DUPLICATED) == [
        ("duplicated", 2.0, BROKER, 1.0),
        ("placed", 10.0, BROKER, 2.0),
    ]


def test_what_the_reader_passes_over_is_missed_two_stretches_later(story: Story) -> None:
    story.sent(range(10), 1.0)
    story.came("raw", [0, 1, 4, 5], 2.0)
    story.close(10.0, 20.0)
    assert story.told(Kind.RECORDS_MISSED) == []
    story.close(30.0)
    assert story.told(Kind.RECORDS_MISSED) == [("missed", 30.0, HARVEST, 2.0)]
    story.close(40.0)
    assert story.told(Kind.RECORDS_MISSED) == []


def test_what_the_reader_says_it_dropped_is_not_missed(story: Story) -> None:
    story.sent(range(10), 1.0)
    story.came("raw", [0, 1, 4, 9], 2.0)
    story.flow.gaps.drop(5)
    story.close(10.0, 20.0, 30.0)
    assert story.told(Kind.RECORDS_MISSED) == [("missed", 30.0, HARVEST, 1.0)]


def test_a_dropped_record_explains_one_gap_only(story: Story) -> None:
    story.sent(range(20), 1.0)
    story.came("raw", [0, 2], 2.0)
    story.flow.gaps.drop(1)
    story.close(10.0, 20.0, 30.0)
    story.came("raw", [3, 6], 31.0)
    story.close(40.0, 50.0, 60.0)
    assert story.told(Kind.RECORDS_MISSED) == [("missed", 60.0, HARVEST, 2.0)]


def test_backlogs_are_what_was_readable_and_was_not_passed_on(story: Story) -> None:
    story.sent(range(10), 1.0, CONFIRM)
    story.came("raw", range(7), 2.0)
    story.came("file", range(5), 3.0, CONFIRM)
    story.came("orders", range(2), 4.0)
    story.close(10.0)
    assert story.told(Kind.SAMPLE_BACKLOG) == [
        ("backlog", 10.0, HARVEST, 3.0),
        ("backlog", 10.0, SIGNAL, 2.0),
        ("backlog", 10.0, BROKER, 3.0),
    ]


def test_only_what_a_process_passes_on_waits_for_it(story: Story) -> None:
    story.sent(range(4), 1.0, STRONG | LOW)
    story.came("file", range(4), 3.0, STRONG | LOW)
    story.close(10.0)
    assert ("backlog", 10.0, BROKER, 0.0) in story.told(Kind.SAMPLE_BACKLOG)


def test_minutes_count_what_the_first_sink_holds_when_they_are_closed(story: Story) -> None:
    story.sent(range(3), 59.0)
    story.sent(range(3, 5), 61.0)
    story.came("file", [0], 59.5, STRONG)
    story.came("file", [1, 3], 61.5, LOW)
    story.came("db", [2], 60.0)
    story.close(60.0)
    assert story.told(Kind.MINUTE_TOTAL) == []
    story.close(70.0)
    assert story.told(Kind.MINUTE_TOTAL, Kind.MINUTE_STRONG, Kind.MINUTE_LOW_CONSISTENCY) == [
        ("total", 61.0, -1, 2.0),
        ("strong", 61.0, -1, 1.0),
        ("low_consistency", 61.0, -1, 1.0),
    ]
    story.close(120.0, 130.0)
    assert story.told(Kind.MINUTE_TOTAL) == [("total", 121.0, -1, 1.0)]


def test_freshness_is_the_age_of_the_newest_record_in_a_sink(story: Story) -> None:
    story.sent([0], 1.0)
    story.sent([1], 4.0)
    story.came("file", [0], 5.0)
    story.close(10.0)
    assert story.told(Kind.SAMPLE_FRESHNESS) == [("freshness", 10.0, FILE, 9.0)]


def remains(story: Story) -> list[tuple[str, float, int, float]]:
    """What is noted at the end."""
    story.close(200.0)
    story.block()
    note_remains(story.flow, story.pipeline, 200.0)
    return story.told(Kind.RECORDS_LOST, Kind.RECORDS_MISSED, Kind.SINK_TOTAL, Kind.SINK_STRONG, Kind.SINK_CONFIRM)


def test_what_is_nowhere_at_the_end_is_lost(story: Story) -> None:
    story.sent(range(10), 1.0, CONFIRM)
    story.came("raw", [0, 1, 2, 3, 4, 6, 7], 2.0)
    story.came("file", [0, 1, 3, 4], 3.0, CONFIRM)
    story.came("db", [0, 1, 1, 3], 3.0)
    # 5 was passed over by the reader, 8 and 9 wait for it, 6 and 7 wait for signal.
    assert remains(story) == [
        ("missed", 200.0, HARVEST, 1.0),
        ("lost", 200.0, FILE, 1.0),
        ("total", 200.0, FILE, 4.0),
        ("confirm", 200.0, FILE, 4.0),
        ("strong", 200.0, FILE, 4.0),
        ("lost", 200.0, DB, 2.0),
        ("total", 200.0, DB, 4.0),
    ]


def test_records_lost_around_a_fault_are_of_that_fault(story: Story) -> None:
    story.sent(range(3), 99.0)
    story.came("raw", range(3), 99.5)
    story.came("file", [0, 2], 101.0)
    story.until_s = 200.0
    note_remains(story.flow, story.pipeline, 200.0)
    block = story.block()
    causes = block.cause[(block.kind == Kind.RECORDS_LOST) & (block.value > 0)].tolist()
    assert [story.plan.vocabulary.causes[cause].fault for cause in causes] == ["kill", "kill"]


def test_sinks_say_nothing_of_shares_that_nobody_knows(story: Story) -> None:
    story.sent(range(2), 1.0)
    story.flow.book.knows_like = False
    story.came("db", range(2), 2.0)
    assert [part for word, _, part, _ in remains(story) if word in {"strong", "confirm"}] == [FILE, FILE]


def causes_of(story: Story, *kinds: Kind) -> list[tuple[str, float]]:
    """The faults to which records at the end are due, and how many to each."""
    story.block()
    note_remains(story.flow, story.pipeline, story.until_s)
    block = story.block()
    chosen = np.isin(block.kind, kinds) & (block.value > 0)
    faults = [story.plan.vocabulary.causes[cause].fault for cause in block.cause[chosen].tolist()]
    return list(zip(faults, block.value[chosen].tolist(), strict=True))


HANG = "  - {name: hang, type: process_hang, process: harvest, at: 110s, for: 5s}\n"


def restarted_at_its_end(folder: Path) -> Story:
    """signal is killed at 100 s and goes on at 104 s with what comes then; harvest hangs from 110 to 115 s."""
    story = Story(folder, SCENARIO.replace("telemetry:", HANG + "telemetry:"))
    for number in range(100):
        story.sent([number], 80.0 + number / 2)
        story.came("raw", [number], 80.1 + number / 2)
        if not 38 <= number < 48:
            for sink in ("file", "db"):
                story.came(sink, [number], 80.2 + number / 2, CONFIRM)
    story.sent(range(100, 103), 130.0)
    story.came("raw", range(100, 103), 130.1)
    return story


def test_what_a_restarted_process_skips_is_of_its_kill_and_not_of_a_later_fault_of_another(tmp_path: Path) -> None:
    story = restarted_at_its_end(tmp_path)
    story.close(130.0, 140.0)
    assert causes_of(story, Kind.RECORDS_LOST) == [("kill", 10.0), ("kill", 10.0)]


def test_what_was_passed_over_is_lost_and_does_not_wait(tmp_path: Path) -> None:
    story = restarted_at_its_end(tmp_path)
    story.close(130.0, 140.0)
    story.block()
    note_remains(story.flow, story.pipeline, 140.0)
    assert [each for each in story.told(Kind.SAMPLE_BACKLOG) if each[2] == SIGNAL] == [("backlog", 140.0, SIGNAL, 3.0)]


def test_a_record_that_is_lost_after_all_works_again_is_of_no_fault(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for number in range(60):
        story.sent([number], 100.0 + number)
        story.came("raw", [number], 100.1 + number)
        if number != 50:
            story.came("file", [number], 100.2 + number)
            story.came("db", [number], 100.2 + number)
    story.close(160.0)
    assert causes_of(story, Kind.RECORDS_LOST) == [("", 1.0), ("", 1.0)]


def test_what_the_reader_missed_around_its_kill_is_of_it(tmp_path: Path) -> None:
    story = Story(tmp_path, SCENARIO.replace("process: signal, at: 100s", "process: harvest, at: 100s"))
    for number in range(60):
        story.sent([number], 90.0 + number)
        if number not in {12, 13, 40}:
            story.came("raw", [number], 90.1 + number if number < 9 else max(90.1 + number, 104.0))
    story.close(160.0)
    assert causes_of(story, Kind.RECORDS_MISSED) == [("", 1.0), ("kill", 2.0)]
    assert story.flow.waiting.now(at_once=True)[HARVEST] == 0


def test_records_behind_a_process_that_nothing_shows_wait_for_the_next_that_is_seen(tmp_path: Path) -> None:
    story = Story(tmp_path, target=TARGET.replace('  raw: {jsonl: "{dir}/raw.jsonl", key: seq, at: at}\n', ""))
    story.sent(range(10), 1.0, CONFIRM)
    story.came("file", [0, 1, 2, 4], 2.0, CONFIRM)
    story.came("db", [0, 1, 2, 4], 2.0, CONFIRM)
    story.until_s = 200.0
    note_remains(story.flow, story.pipeline, 200.0)
    assert story.told(Kind.RECORDS_LOST, Kind.SAMPLE_BACKLOG) == [
        ("lost", 200.0, FILE, 1.0),
        ("lost", 200.0, DB, 1.0),
        ("backlog", 200.0, SIGNAL, 5.0),
        ("backlog", 200.0, BROKER, 4.0),
    ]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("strong: strong, low_consistency: low", ["confirm", "strong"]),
        ("strong: strong", ["strong"]),
        ("confirm: confirm", ["confirm"]),
    ],
)
def test_a_sink_tells_the_figures_of_which_its_ledger_has_columns(
    tmp_path: Path, columns: str, words: list[str]
) -> None:
    story = Story(tmp_path, target=TARGET.replace("strong: strong, confirm: confirm, low_consistency: low", columns))
    story.sent(range(2), 1.0, CONFIRM)
    story.came("db", range(2), 2.0)
    assert [(word, part) for word, _, part, _ in remains(story) if word in {"strong", "confirm"}] == [
        (word, FILE) for word in words
    ]


def looked_for(story: Story) -> list[tuple[Kind, int]]:
    """What was looked for, and where, by events of 0; and how many records had to get to a sink."""
    story.close(200.0)
    note_remains(story.flow, story.pipeline, 200.0)
    block = story.block()
    zero = np.isin(block.kind, EVIDENCE) & (block.value == 0)
    return [
        (Kind(kind), worker)
        for kind, worker in zip(block.kind[zero].tolist(), block.worker[zero].tolist(), strict=True)
    ]


def test_it_is_said_what_was_held_against_what_was_sent(story: Story) -> None:
    story.sent(range(3), 1.0)
    story.came("raw", range(3), 2.0)
    story.came("file", range(3), 3.0)
    assert sorted(looked_for(story)) == [
        (Kind.RECORDS_MISSED, HARVEST),
        *[(Kind.RECORDS_LOST, sink) for sink in (FILE, DB)],
        *[(Kind.RECORDS_PHANTOM, sink) for sink in (FILE, DB)],
    ]


def test_nothing_is_said_of_what_was_sent_where_nobody_saw_that(story: Story) -> None:
    story.flow.knows_sent = False
    story.sent(range(3), 1.0)
    story.came("raw", range(3), 2.0)
    story.came("file", range(3), 3.0)
    story.came("db", [0, 2], 3.0)
    assert looked_for(story) == []
    # What one sink has was sent, and the other lacks it.
    note_remains(story.flow, story.pipeline, 200.0)
    assert story.told(Kind.RECORDS_LOST) == [("lost", 200.0, DB, 1.0)]


FILTERED = SCENARIO.replace("writes: signals}", "writes: signals, passes: strong}")


def test_a_sink_behind_a_filter_lacks_only_what_has_to_get_there(tmp_path: Path) -> None:
    story = Story(tmp_path, FILTERED)
    story.sent(range(5), 1.0, STRONG)
    story.sent(range(5, 20), 1.0, LOW)
    story.came("raw", range(20), 2.0)
    story.came("file", [0, 2, 4], 3.0)
    story.close(200.0)
    note_remains(story.flow, story.pipeline, 200.0)
    assert story.told(Kind.RECORDS_LOST, Kind.SINK_EXPECTED) == [
        ("expected", 200.0, FILE, 5.0),
        ("lost", 200.0, FILE, 2.0),
        ("expected", 200.0, DB, 5.0),
        ("lost", 200.0, DB, 5.0),
    ]


def test_a_sink_behind_a_filter_is_not_compared_where_nobody_knows_what_records_are_like(tmp_path: Path) -> None:
    story = Story(tmp_path, FILTERED)
    story.sent(range(20), 1.0)
    story.flow.book.knows_like = False
    story.came("raw", range(20), 2.0)
    story.came("file", [0, 2, 4], 3.0)
    assert [kind for kind, _ in looked_for(story) if kind is Kind.RECORDS_LOST] == []


DIRECT = """
system: pipeline
duration: 3m
workload: {arrivals: {rate: 2/s, process: constant}}
pipeline:
  processes: [{name: signal, reads: source, writes: signals}]
  sinks: [{name: file, of: signals}, {name: db, of: signals}]
telemetry: {sample_interval: 10s}
"""


def gaps_of(story: Story) -> tuple[list[float], list[float]]:
    """How many gaps a block has, and of how many opportunities, as the judge has them."""
    facts = Facts(story.until_s)
    counts.observe(story.block(), Parts(story.plan.scenario), story.plan.vocabulary, facts, real=True)
    samples = facts.series.get("gap_records")
    if samples is None or samples.weight is None:
        return [], []
    return samples.value.tolist(), samples.weight.tolist()


def test_the_sinks_of_a_reader_that_writes_them_itself_show_what_it_took(tmp_path: Path) -> None:
    story = Story(tmp_path, DIRECT)
    story.sent(range(6), 1.0)
    story.came("file", [0, 1, 3], 2.0)
    story.came("db", [0, 2, 3, 5], 2.0)
    story.close(10.0)
    assert gaps_of(story) == ([0.0], [1.0])
    # What one of them holds was not passed over.
    story.close(20.0, 30.0)
    assert story.told(Kind.RECORDS_MISSED) == [("missed", 30.0, 0, 1.0)]


def test_without_a_ledger_of_the_source_nothing_shows_that_nothing_is_missing(tmp_path: Path) -> None:
    story = Story(tmp_path, DIRECT)
    story.flow.knows_sent = False
    story.sent(range(6), 1.0)
    story.came("file", range(6), 2.0)
    story.close(10.0)
    assert gaps_of(story) == ([], [])
