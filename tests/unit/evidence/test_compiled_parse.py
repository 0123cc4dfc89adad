"""The compiled part that reads lines: equal to what Python makes of them, and any other line is left to Python."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from histories import IDENTITY
from hypothesis import given, settings
from hypothesis import strategies as st
from test_evidence_lines import Row, block_of_rows, streams

from soak.runner.evidence import stream as stream_module
from soak.runner.evidence.compiled_parse import forms_of
from soak.runner.evidence.lines import LineFormatter
from soak.runner.evidence.stream import StreamReader, StreamWriter
from soak.schemas.errors import EvidenceError
from soak.schemas.stream.block import COLUMNS, Block
from soak.schemas.stream.vocabulary import Vocabulary


@pytest.fixture(autouse=True, scope="module")
def _part() -> None:
    if forms_of(Vocabulary()) is None:
        pytest.skip("no compiled parts here")


def outcome(path: Path, *, compiled: bool) -> tuple[object, ...]:
    """What a reader makes of a file: its blocks, and its words; or what it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_module, "LINES_PER_BLOCK", 5)
        if not compiled:
            patch.setattr(stream_module, "forms_of", lambda vocabulary: None)
        vocabulary = Vocabulary()
        try:
            reader = StreamReader(path, vocabulary)
            blocks = list(reader.blocks())
        except EvidenceError as error:
            return (re.sub(r": not an event: .*", "", str(error)),)
    columns = [[getattr(block, name).tobytes() for name in COLUMNS] for block in blocks]
    return columns, [block.until_s for block in blocks], reader.cut, vars(vocabulary)


def header(path: Path) -> bytes:
    """The first line of a stream."""
    with StreamWriter(path, IDENTITY, Vocabulary()):
        pass
    line = path.read_bytes()
    path.unlink()
    return line


Damage = Callable[[bytes], bytes]
DAMAGES: list[Damage] = [
    lambda line: line.replace(b".000000", b".0"),
    lambda line: line.replace(b'"t":', b'"t":0', 1),
    lambda line: line.replace(b'"t":', b'"t":-', 1),
    lambda line: line.replace(b'"t":', b'"t": ', 1),
    lambda line: line.replace(b'"task":"', b'"task":"0', 1),
    lambda line: line.replace(b'"task":"', b'"task":"-', 1),
    lambda line: line.replace(b'"task":"', b'"task":"1234567890', 1),
    lambda line: line.replace(b'"key":"', b'"key":"x', 1),
    lambda line: line.replace(b'"attempt":', b'"attempt":1234', 1),
    lambda line: line.replace(b'"worker":', b'"worker":0', 1),
    lambda line: line.replace(b'"worker":', b'"worker":123456789', 1),
    lambda line: line.replace(b'"records":', b'"records":0,"records":', 1),
    lambda line: line.replace(b"}", b',"due":3.000000}', 1),
    lambda line: line.replace(b"}", b',"worker":7}', 1),
    lambda line: line.replace(b"}", b',"by":"me"}', 1),
    lambda line: line.replace(b"}", b',"name":"x","name":"y"}', 1),
    lambda line: line.replace(b"}", b',"other":1}', 1),
    lambda line: line.replace(b"}", b',"other":1.500000}', 1),
    lambda line: line.replace(b"}", b',"fault":"\\u0041"}', 1),
    lambda line: line.replace(b"}", b',"fault":"\xff"}', 1),
    lambda line: line.replace(b"}", b',"fault":null}', 1),
    lambda line: line.replace(b"}", b"}}", 1),
    lambda line: line.replace(b"}", b"} ", 1),
    lambda line: line.replace(b"}\n", b"\n", 1),
    lambda line: line.replace(b"\n", b"\r\n", 1),
    lambda line: line.replace(b'"type":"', b'"type":"x', 1),
    lambda line: re.sub(rb'"type":"([^"]*)"', rb'"kind":"k","type":"\1"', line, count=1),
    lambda line: re.sub(rb'"(due|value|ran)":[0-9]+', rb'"\1":9007199255', line, count=1),
    lambda line: re.sub(rb'"(due|value|ran)":[0-9]+.[0-9]+', rb'"\1":8999999999999.000000', line, count=1),
    lambda line: re.sub(rb'"(due|value|ran)":[0-9]+', rb'"\1":9000000000000', line, count=1),
    lambda line: re.sub(rb'"(due|value|ran)":', rb'"pause":', line, count=1),
    lambda line: re.sub(rb'"(due|value|ran)":', rb'"t":', line, count=1),
    lambda line: re.sub(rb',"(due|value|ran)":[^,}]*', b"", line, count=1),
    lambda line: b"\n",
    lambda line: b"{}\n",
    lambda line: line[: len(line) // 2],
    lambda line: line + line,
]


@settings(max_examples=12)
@given(made=streams(), place=st.integers(0, 11))
def test_lines_are_read_or_refused_as_by_python(
    made: tuple[Vocabulary, list[Row]], place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As they were written, and with one of them in another form."""
    vocabulary, found = made
    path = tmp_path_factory.mktemp("parse") / "soak.jsonl"
    begin = header(path)
    lines = LineFormatter(vocabulary).format(block_of_rows(found)).splitlines(keepends=True)
    place %= len(lines)
    for other in {lines[place], *(damage(lines[place]) for damage in DAMAGES)}:
        path.write_bytes(b"".join([begin, *lines[:place], other, *lines[place + 1 :]]))
        assert outcome(path, compiled=True) == outcome(path, compiled=False)


def parsed(text: bytes, vocabulary: Vocabulary) -> Block | None:
    """By the compiled part alone."""
    forms = forms_of(vocabulary)
    found = forms.parse(text, 100) if forms else None
    return found[0] if found else None


def test_what_is_left_to_python_and_what_is_not() -> None:
    vocabulary = Vocabulary()
    line = b'{"t":1.500000,"type":"task.retry","task":"3.2","attempt":2,"worker":1,"due":7.000001,"fault":"f","error":"e"}\n'
    block = parsed(2 * line, vocabulary)
    assert block is not None
    assert (block.t.tolist(), block.task.tolist(), block.value.tolist()) == ([1.5] * 2, [7] * 2, [7.000001] * 2)
    assert (block.attempt.tolist(), block.worker.tolist(), block.cause.tolist()) == ([2] * 2, [1] * 2, [1] * 2)
    assert (vocabulary.causes[1].fault, vocabulary.causes[1].error) == ("f", "e")
    for other in (
        line.replace(b"1.500000", b"1.5"),
        line.replace(b"}", b" }"),
        line.replace(b'"worker":1', b'"worker":01'),
        line.replace(b'"worker":1', b'"worker":100000000'),
        line.replace(b'"due"', b'"t"'),
        line.replace(b"task.retry", b"task.other"),
        line.replace(b'"fault"', b'"fields"'),
        line.replace(b'"f"', b'"\\u0066"'),
        line.replace(b'"error":"e"', b'"fault":"e"'),
        line.replace(b"1.500000", b"2251799813.685248"),
        line.replace(b"7.000001", b"9007199254.740993"),
        line.replace(b'"due"', b'"records":0,"due"'),
        line.replace(b"}", b""),
        line.replace(b"}", b"]"),
    ):
        assert parsed(line + other, Vocabulary()) is None, other


def test_records_are_the_attempt_of_an_event_without_one() -> None:
    block = parsed(
        b'{"t":1.000000,"type":"fault.seen","records":34}\n{"t":1.000000,"type":"fault.seen"}\n', Vocabulary()
    )
    assert block is not None
    assert block.attempt.tolist() == [34, 0]


def test_very_many_forms_are_left_to_python_and_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "soak.jsonl"
    lines = [b'{"t":1.000000,"type":"fault.seen","fault":"%d"}\n' % number for number in range(5000)]
    path.write_bytes(header(path) + b"".join(lines))
    vocabulary = Vocabulary()
    blocks = list(StreamReader(path, vocabulary).blocks())
    assert [cause for block in blocks for cause in block.cause.tolist()] == list(range(1, 5001))
    assert vocabulary.causes[5000].fault == "4999"
