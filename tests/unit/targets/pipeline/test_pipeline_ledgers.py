"""The record ledger of a run: it gives back what was known, and is counted again when a run is verified."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pipeline_story import SCENARIO, scenario, target_file

from soak.runner.judge.pipeline.keys import Keys
from soak.runner.judge.pipeline.recount import RecordRecount
from soak.runner.targets.journal import Journal
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.ledgers import Ledgers
from soak.runner.targets.pipeline.places import places_of
from soak.runner.targets.pipeline.remains import note_remains
from soak.runner.targets.pipeline.tails import LedgerError
from soak.schemas.stream.block import Block, make_block, merge
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.record_ledger import (
    FILE,
    counted_up,
    counting_runs,
    level_runs,
    levels,
    packed,
    unpacked,
)
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.templates import expand
from soak.simulation.plan import Plan

TARGET = """
name: mine
processes: [{name: harvest, command: "true"}, {name: signal, command: "true"}, {name: broker, command: "true"}]
streams:
  source: {jsonl: "{dir}/source", first: first, last: last, at: at}
  raw: {jsonl: "{dir}/raw", key: seq, at: at}
  orders: {jsonl: "{dir}/orders", key: seq, at: at}
sinks:
  file: {jsonl: "{dir}/file", key: seq, at: at, strong: strong, confirm: confirm, low_consistency: low}
  db: {jsonl: "{dir}/db", key: seq, at: at, kind: kind}
"""
ZERO = 1_000_000.0


class Run:
    """A run whose ledgers are files in a folder. goes_on_at: scenario time from which it is resumed."""

    def __init__(self, folder: Path, goes_on_at: float | None = None, target: str = TARGET) -> None:
        self.folder, self.plan = folder, Plan(scenario(SCENARIO).scenario)
        file = expand(target_file(folder, target).file, {"dir": str(folder)})
        self.pipeline = pipeline_of(self.plan.scenario)
        self.flow = Flow(self.plan, places_of(self.pipeline, file), 1.0)
        epochs = Epochs(1.0)
        epochs.begin(ZERO, ZERO, folder / "epochs")
        self.ledgers = Ledgers(self.plan, self.flow, file.streams["source"], epochs, folder, ours=True)
        self.ledgers.open({} if goes_on_at is None else self.ledgers.restore(goes_on_at))
        self.flow.journal = Journal(self.plan, goes_on_at or 0.0)

    def grew(self, name: str, *rows: dict[str, object]) -> None:
        """A ledger of the system has more rows; `at` is in scenario time."""
        with (self.folder / name).open("a") as file:
            file.writelines(json.dumps({**row, "at": ZERO + float(str(row["at"]))}) + "\n" for row in rows)

    def close(self, until_s: float) -> Block:
        """A stretch ends; what it brought."""
        self.ledgers.read(until_s)
        self.ledgers.close(until_s)
        assert self.flow.journal
        return self.flow.journal.take(until_s)

    def end(self, until_s: float) -> Block:
        """The run ends."""
        note_remains(self.flow, self.pipeline, until_s, self.ledgers.unread())
        assert self.flow.journal
        return self.flow.journal.take(until_s)


@contextmanager
def run(folder: Path, goes_on_at: float | None = None, target: str = TARGET) -> Iterator[Run]:
    """A run, whose files are closed at the end."""
    made = Run(folder, goes_on_at, target)
    try:
        yield made
    finally:
        made.ledgers.close_files()


def first_part(made: Run) -> list[Block]:
    """What a run brings up to 20 s."""
    made.grew("source", {"at": 1, "first": 0, "last": 5})
    made.grew("raw", *({"seq": each, "at": 1.5} for each in range(6)))
    made.grew(
        "file", *({"seq": each, "at": 2, "strong": each == 1, "confirm": each == 1, "low": 0} for each in range(4))
    )
    made.grew("db", *({"seq": each, "at": 2, "kind": "A"} for each in (0, 1, 1)))
    blocks = [made.close(10.0)]
    made.grew("source", {"at": 11, "first": 6, "last": 9})
    made.grew("raw", {"seq": 6, "at": 12}, {"seq": 8, "at": 12})
    made.grew("orders", {"seq": 1, "at": 13}, {"seq": 1, "at": 14})
    return [*blocks, made.close(20.0)]


def second_part(made: Run) -> list[Block]:
    """What it brings then."""
    made.grew("file", *({"seq": each, "at": 22, "strong": 0, "confirm": 0, "low": 1} for each in (4, 5, 6, 8)))
    made.grew("db", *({"seq": each, "at": 23, "kind": "B"} for each in (2, 3, 4, 0, 77)))
    blocks = [made.close(until_s) for until_s in (30.0, 40.0, 50.0, 70.0)]
    return [*blocks, made.end(70.0)]


def told(blocks: list[Block]) -> list[tuple[object, ...]]:
    """All events."""
    block = merge(blocks)
    columns = (block.t, block.kind, block.attempt, block.worker, block.cause, block.label)
    return list(zip(*(column.tolist() for column in columns), map(str, block.value.tolist()), strict=True))


def test_a_run_that_goes_on_notes_what_it_would_have_noted(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    with run(whole) as made:
        expected = [*first_part(made), *second_part(made)]
    with run(parts) as made:
        known, _ = first_part(made)
    # The stream has what came up to 10 s only.
    with run(parts, goes_on_at=10.0) as made:
        assert told([known, made.close(20.0), *second_part(made)]) == told(expected)


def test_the_ledger_says_what_the_stream_says(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        blocks = [*first_part(made), *second_part(made)]
    assert _differences(made, blocks) == []


def _differences(made: Run, blocks: list[Block]) -> list[str]:
    recount = RecordRecount(made.plan.scenario, made.plan.vocabulary)
    for block in blocks:
        recount.observe(block)
    return list(recount.differences(made.folder / FILE))


@pytest.mark.parametrize(
    ("line", "changed", "words"),
    [
        (
            '"of":"file","keys":[0,4]',
            '"of":"file","keys":[0,3]',
            "records stored of file: 7 by the ledger, 8 in the stream",
        ),
        (
            '"of":"source","keys":[6,4]',
            '"of":"source","keys":[6,5]',
            "records sent: 11 by the ledger, 10 in the stream",
        ),
        (
            '"strong":"40"',
            '"strong":"c0"',
            "strong records in the sink at the end of file: 2 by the ledger, 1 in the stream",
        ),
        (
            '"of":"orders","keys":[1,1,1,1]',
            '"of":"orders","keys":[1,2]',
            "orders placed of broker: 2 by the ledger, 1 in the stream",
        ),
    ],
)
def test_a_ledger_that_was_changed_says_something_else(tmp_path: Path, line: str, changed: str, words: str) -> None:
    with run(tmp_path) as made:
        blocks = [*first_part(made), *second_part(made)]
    text = (tmp_path / FILE).read_text()
    assert line in text
    (tmp_path / FILE).write_text(text.replace(line, changed, 1))
    assert words in _differences(made, blocks)


def _added(made: Run, blocks: list[Block], kind: Kind, worker: int, value: float) -> list[str]:
    more = make_block([70.0], [kind], until_s=70.0, worker=[worker], value=[value])
    return _differences(made, [*blocks, more])


def test_figures_that_the_ledger_lacks_differ(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        blocks = [*first_part(made), *second_part(made)]
    assert _added(made, blocks, Kind.RECORDS_DROPPED, 1, 3) == [
        "records dropped of signal: 0 by the ledger, 3 in the stream"
    ]
    (tmp_path / FILE).write_text("")
    words = _differences(made, blocks)
    assert "records sent: 0 by the ledger, 10 in the stream" in words
    assert "records stored again of db: 0 by the ledger, 2 in the stream" in words
    assert "records missed of harvest: 0 by the ledger, 1 in the stream" in words
    assert "records lost of db: 0 by the ledger, 3 in the stream" in words


@pytest.mark.parametrize(
    ("kind", "worker", "words"),
    [
        (Kind.RECORDS_LOST, 3, "records lost of file: 0 by the ledger, {} in the stream"),
        (Kind.RECORDS_LOST, 4, "records lost of db: 3 by the ledger, {} in the stream"),
        (Kind.RECORDS_MISSED, 0, "records missed of harvest: 1 to 2 by the ledger, {} in the stream"),
    ],
)
def test_what_is_lost_and_missed_is_counted_by_keys(tmp_path: Path, kind: Kind, worker: int, words: str) -> None:
    with run(tmp_path) as made:
        blocks = [*first_part(made), *second_part(made)]
    whole = merge(blocks)
    told = int(whole.value[(whole.kind == kind) & (whole.worker == worker)].sum())
    for more in (9, -told) if told else (9,):
        assert _added(made, blocks, kind, worker, more) == [words.format(told + more)]


def test_large_keys_need_no_more_room_than_small_ones() -> None:
    first = 200_000_000
    keys = Keys(first)
    assert keys.add(np.arange(first, first + 5)) == 5
    assert keys.add(np.array([first + 3, first - 1, 7, first + 5])) == 3
    assert keys.known(np.array([first, first + 6, 7, 8])).tolist() == [True, False, True, False]
    assert keys.room < 1 << 18
    assert keys.without(Keys(first)) == 8


def test_a_half_line_at_the_end_is_cut_off(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        first_part(made)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + b'{"until": 30, "of"')
    with run(tmp_path, goes_on_at=20.0):
        assert (tmp_path / FILE).read_bytes() == whole


def test_runs_give_back_what_they_were_made_of() -> None:
    values = np.array([3, 4, 5, 9, 9, 10, 2])
    assert counting_runs(values) == [3, 3, 9, 1, 9, 2, 2, 1]
    assert counted_up(counting_runs(values)).tolist() == values.tolist()
    assert levels(level_runs(values)).tolist() == values.tolist()
    flags = np.array([True, False, True] * 5)
    assert unpacked(packed(flags), 15).tolist() == flags.tolist()
    with pytest.raises(ValueError, match="missing"):
        unpacked(packed(flags), 17)


# What cannot be read as the target file says.


FILE_OF_SINK = '{jsonl: "{dir}/file", key: seq, at: at, strong: strong, confirm: confirm, low_consistency: low}'


@pytest.mark.parametrize(
    ("before", "after", "part", "words"),
    [
        (
            FILE_OF_SINK,
            FILE_OF_SINK.replace("key: seq", "key: sqe"),
            3,
            "the ledger of file says nothing, and objectives on it cannot hold: 8 lines could not be read: has no 'sqe'; "
            "it has at, confirm, low, seq, strong (correct its fields)",
        ),
        ('"{dir}/file"', '"{dir}/flie"', 3, "there is no file flie (correct its path)"),
        ('"{dir}/raw"', '"{dir}/rwa"', 0, "there is no file rwa (correct its path)"),
        (
            "first: first, last: last, at: at",
            "first: first, last: last, at: at, time: us",
            -1,
            "the ledger of the source says nothing, and objectives on it cannot hold: its times are those of 1970 "
            "where they are read as us (correct time:)",
        ),
    ],
)
def test_a_ledger_that_cannot_be_read_is_said_and_nothing_is_concluded_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, part: int, words: str
) -> None:
    assert before in TARGET
    with run(tmp_path, target=TARGET.replace(before, after)) as made:
        blocks = [*first_part(made), *second_part(made)]
    whole = merge(blocks)
    assert whole.worker[whole.kind == Kind.LEDGER_UNREAD].tolist() == [part]
    assert not {Kind.SINK_TOTAL, Kind.RECORDS_LOST} & {*whole.kind.tolist()}
    assert words in capsys.readouterr().err
    assert _differences(made, blocks) == []


def test_a_few_lines_that_are_damaged_do_not_make_a_ledger_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run(tmp_path) as made:
        (tmp_path / "file").write_text('{"seq": \n')
        blocks = [*first_part(made), *second_part(made)]
    whole = merge(blocks)
    assert Kind.LEDGER_UNREAD not in whole.kind.tolist()
    assert (whole.kind == Kind.SINK_TOTAL).sum() == 2
    assert capsys.readouterr().err == ""


def test_where_nothing_should_be_a_ledger_may_be_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was sent, and of orders it is not known when the first comes."""
    with run(tmp_path) as made:
        (tmp_path / "source").touch()
        blocks = [made.close(10.0), made.end(10.0)]
    assert (merge(blocks).kind == Kind.SINK_TOTAL).sum() == 2
    assert capsys.readouterr().err == ""


def test_a_time_that_is_not_as_the_target_file_says_ends_the_run_in_words(tmp_path: Path) -> None:
    target = TARGET.replace("key: seq, at: at, kind: kind", "key: seq, at: at, kind: kind, time: iso")
    with run(tmp_path, target=target) as made, pytest.raises(LedgerError, match=r"the time '1000001\.0', which"):
        made.grew("db", {"seq": 1, "at": 1, "kind": "A"})
        made.close(10.0)
