"""Streams that are damaged, cut, or written to a full disk."""

import errno
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from histories import IDENTITY, block_of
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import HEADER, LINES_PER_BLOCK, StreamReader, StreamWriter
from soak.runner.evidence.task_numbers import MOST_TASKS, most_tasks, task_limit
from soak.runner.evidence.verify import load_stored, recompute
from soak.runner.targets.recorded import Recorded
from soak.schemas.errors import EvidenceError, OutputError
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import STREAM_VERSION
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan

ROOT = Path(__file__).resolve().parents[3] / "scenarios"

HISTORY = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 w0
9 ended 1 ran=8
9 done 1
10 queue_depth 0
"""
DONE = b'{"t":10,"type":"task.done","task":"1","attempt":1,"worker":0}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound stream: a header and six events."""
    path = tmp_path / "soak.jsonl"
    vocabulary = Vocabulary()
    with StreamWriter(path, IDENTITY, vocabulary) as writer:
        writer.append(block_of(HISTORY, vocabulary))
    return path


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file."""
    return path.read_bytes().splitlines(keepends=True)


def read(path: Path) -> tuple[StreamReader, list[Block]]:
    """The reader of a stream, and its blocks."""
    reader = StreamReader(path, Vocabulary())
    return reader, list(reader.blocks())


def put(path: Path, number: int, line: bytes) -> None:
    """Replace the line with this number."""
    lines = lines_of(path)
    lines[number - 1] = line + b"\n"
    path.write_bytes(b"".join(lines))


def test_the_first_line_says_what_follows(path: Path) -> None:
    header = json.loads(lines_of(path)[0])
    assert (header["type"], header["schema_version"], header["scenario"]) == (HEADER, STREAM_VERSION, "test")
    assert read(path)[0].identity == IDENTITY


def test_a_sound_stream(path: Path) -> None:
    reader, [block] = read(path)
    assert (len(block), block.until_s, reader.cut) == (6, 10.0, False)


def test_no_event_at_all(path: Path) -> None:
    path.write_bytes(lines_of(path)[0])
    reader, blocks = read(path)
    assert (blocks, reader.cut) == ([], False)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_stream_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cut") / "soak.jsonl"
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        writer.append(block_of(HISTORY))
    whole = path.read_bytes()
    at = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
    path.write_bytes(whole[:at])
    reader, blocks = read(path)
    assert sum(map(len, blocks)) == whole[:at].count(b"\n") - 1
    assert reader.cut == (not whole[:at].endswith(b"\n"))


# Headers.

GOOD_HEADER: dict[str, Any] = {
    "type": HEADER,
    "schema_version": STREAM_VERSION,
    **{name: getattr(IDENTITY, name) for name in IDENTITY.__struct_fields__},
}


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (b"", "not the header of an event stream"),
        (b"\xff\xfe\n", "not the header of an event stream"),
        (b'{"type":"stream.hea', "not the header of an event stream"),
        (DONE, "not the header of an event stream"),
        ({**GOOD_HEADER, "type": "something.else"}, "not the header of an event stream, but 'something.else'"),
        ({**GOOD_HEADER, "seed": "one"}, "not the header of an event stream"),
        (
            {**GOOD_HEADER, "schema_version": 0},
            "is of version 0, made by an older release (this one reads versions 1 to 2",
        ),
        (
            {"type": HEADER, "schema_version": 9, "other": "fields"},
            "is of version 9, made by a newer release (this one reads versions 1 to 2",
        ),
        ({**GOOD_HEADER, "schema_version": "2"}, "not the header of an event stream"),
        ({"type": HEADER, "schema_version": 1}, "not the header of an event stream"),
    ],
)
def test_a_wrong_header(path: Path, header: bytes | dict[str, Any], what: str) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(b"".join([text + b"\n", *lines_of(path)[1:]]) if text else b"")
    with pytest.raises(EvidenceError) as caught:
        StreamReader(path, Vocabulary())
    assert f"{path}:1: {what}" in str(caught.value)


def test_no_stream_at_all(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="No such file"):
        StreamReader(tmp_path / "soak.jsonl", Vocabulary())


# Events.


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"", "not an event"),
        (b"garbage", "not an event"),
        (b"\xff\xfe", "not an event"),
        (b"\0\0\0\0", "not an event"),
        (b"[]", "not an event"),
        (b"null", "not an event"),
        (DONE[:-1], "not an event"),
        (DONE + DONE, "not an event"),
        (DONE + b"," + DONE, "not an event"),
        (b'{"type":"task.done","task":"1"}', "not an event"),
        (b'{"t":10}', "not an event"),
        (b'{"t":"10","type":"task.done"}', "not an event"),
        (b'{"t":-1,"type":"sample.rss","value":1}', "not an event"),
        (b'{"t":1e400,"type":"sample.rss","value":1}', "not an event"),
        (DONE.replace(b'"attempt":1', b'"attempt":-1'), "not an event"),
        (DONE.replace(b'"attempt":1', b'"attempt":99999999999999999999'), "not an event"),
        (DONE.replace(b'"worker":0', b'"worker":-2'), "not an event"),
        (b'{"t":10,"type":"sample.rss","value":-5}', "not an event"),
        (DONE.replace(b"task.done", b"task.finished"), "unknown event type 'task.finished'"),
        (b'{"t":10,"type":"sample.state","state":"SKIPPED","value":1}', "unknown event type 'sample.state'"),
        (DONE.replace(b'"1"', b'"one"'), "'one' is not the number of a task"),
        (DONE.replace(b'"1"', b'"-1"'), "'-1' is not the number of a task"),
        (DONE.replace(b'"1"', b'"1.3"'), "'1.3' is not the number of a task"),
        (DONE.replace(b'"1"', b'"1_0"'), "'1_0' is not the number of a task"),
        (DONE.replace(b'"1"', b'"12345678901234567890"'), "is not the number of a task"),
        (b'{"t":10,"type":"task.done"}', "names no task"),
        (b'{"t":10,"type":"execution.started","key":"1"}', "names no task"),
        (b'{"t":10,"type":"task.enqueued","task":"2"}', "does not say how much, when or which"),
        (b'{"t":10,"type":"sample.rss"}', "does not say how much, when or which"),
        (b'{"t":10,"type":"alert.fired"}', "does not say how much, when or which"),
        (DONE.replace(b'"t":10', b'"t":8.9'), "is earlier than the previous event"),
    ],
)
def test_a_damaged_line(path: Path, line: bytes, what: str) -> None:
    put(path, 6, line)
    with pytest.raises(EvidenceError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:6: ")
    assert what in str(caught.value)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_task_that_cannot_be(path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    """Tasks are kept in arrays by their numbers: one wrong number would ask for more memory than there is."""
    if not compiled:
        monkeypatch.setattr("soak.runner.evidence.stream.forms_of", lambda vocabulary: None)
    put(path, 6, DONE.replace(b'"1"', b'"600"'))
    assert [block.task.max() for block in StreamReader(path, Vocabulary(), task_limit=1201).blocks()] == [1200]
    with pytest.raises(EvidenceError) as caught:
        list(StreamReader(path, Vocabulary(), task_limit=1200).blocks())
    what = "task 600 is not one that the scenario can have (the stream is damaged here)"
    assert str(caught.value) == f"{path}:6: {what}"


@pytest.mark.parametrize("number", [2_000_000, 999_999_999, 10**12])
def test_evidence_with_a_task_that_cannot_be(tmp_path: Path, number: int) -> None:
    """Whoever follows the tasks of a stream refuses it."""
    run = shutil.copytree(Path(__file__).resolve().parents[2] / "evidence" / "v4" / "brief", tmp_path / "run")
    directory = RunDirectory.open(run)
    (path,) = run.glob("*.jsonl")
    path.write_bytes(re.sub(rb'"task":"3"', b'"task":"%d"' % number, path.read_bytes()))
    with pytest.raises(EvidenceError, match=str(number)):
        recompute(directory)
    with pytest.raises(EvidenceError, match=str(number)):
        list(Recorded(path).run(Plan(load_stored(directory).scenario)))


def test_the_largest_number_of_a_task() -> None:
    plan, users = (Plan(load(ROOT / name).scenario) for name in ("72h.yaml", "selftest/gateway-growth.yaml"))
    assert 10 * most_tasks(plan) < task_limit(plan) < 2_000_000
    assert task_limit(users) == MOST_TASKS


def test_a_damaged_line_far_into_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "soak.jsonl"
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        writer.append(block_of("\n".join(f"{t} rss 1" for t in range(LINES_PER_BLOCK + 99))))
    for number in (LINES_PER_BLOCK + 1, LINES_PER_BLOCK + 2, LINES_PER_BLOCK + 99):
        good = lines_of(path)[number - 1]
        for bad in (b"garbage", b'{"t":5,"type":"sample.rss","value":1}', b'{"t":5,"type":"sample.rzz","value":1}'):
            put(path, number, bad)
            with pytest.raises(EvidenceError, match=rf":{number}: "):
                read(path)
        put(path, number, good.rstrip(b"\n"))
    assert sum(map(len, read(path)[1])) == LINES_PER_BLOCK + 99


def test_a_missing_line_is_not_seen_here(path: Path) -> None:
    # What is missing shows in the checksum and in the verdict that the rest comes to.
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:4] + lines[5:]))
    assert len(read(path)[1][0]) == 5


# A disk that is full.


class FullDisk:
    """A file with room for so many bytes."""

    def __init__(self, path: Path, room: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._room = room

    def flush(self) -> None:
        """There is nothing to flush."""

    def write(self, data: memoryview) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: self._room])
        self._room -= written
        return written

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize("room", [0, 1, 40, 100])
def test_a_full_disk_keeps_what_was_written(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "soak.jsonl"
    block = block_of(HISTORY)
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        writer.append(block)
        before = path.read_bytes()
        writer._file.close()
        monkeypatch.setattr(writer, "_file", FullDisk(path, room))
        with pytest.raises(OutputError, match="No space left on device; what was written before is kept"):
            writer.append(block_of("11 queue_depth 5\n12 queue_depth 6\n13 queue_depth 7"))
        assert writer.events == len(block)
    assert path.read_bytes()[: len(before)] == before
    assert len(path.read_bytes()) == len(before) + room
    reader, blocks = read(path)
    assert sum(map(len, blocks)) >= len(block)
    assert reader.cut == (room > 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_device_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = StreamWriter(tmp_path / "soak.jsonl", IDENTITY, Vocabulary())
    writer.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(writer, "_file", full)
        with pytest.raises(OutputError, match="No space left on device"):
            writer.append(block_of(HISTORY))


def test_writes_that_take_less_than_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(FullDisk):
        def write(self, data: memoryview) -> int:
            return super().write(data[:7])

    path = tmp_path / "soak.jsonl"
    with StreamWriter(path, IDENTITY, Vocabulary()) as writer:
        writer._file.close()
        monkeypatch.setattr(writer, "_file", Slow(path, 10**6))
        writer.append(block_of(HISTORY))
    assert len(read(path)[1][0]) == 6


def test_a_stream_is_never_overwritten(path: Path) -> None:
    with pytest.raises(OutputError, match="File exists"):
        StreamWriter(path, IDENTITY, Vocabulary())
