"""The stream's lines against a plain JSON encoding of every row, and back again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from histories import IDENTITY
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from soak.runner.evidence.lines import LineFormatter
from soak.runner.evidence.stream import StreamReader, StreamWriter
from soak.schemas.errors import SoakError
from soak.schemas.stream.block import COLUMNS, Block, make_block
from soak.schemas.stream.events import COPY, KEY_SHIFT, SPECS, Kind, Value
from soak.schemas.stream.vocabulary import Vocabulary

LARGEST_S = 10**8
WORDS = [
    'say "hi"',
    "back\\slash",
    "</script>",
    "tab\there",
    "line\nend",
    "nul\0nul",
    "한국어",
    "😀",
    "ünï",
    "plain",
    "a,b:{}",
]
words = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)

Row = dict[str, Any]


def ticks(largest_s: int) -> st.SearchStrategy[float]:
    """Seconds in whole microseconds."""
    most = largest_s * 10**6
    return (st.integers(0, most) | st.sampled_from([0, 1, 10**6 - 1, 10**6, 10**10, most])).map(lambda t: t / 1e6)


numbers = st.integers(0, 10**9 - 1) | st.sampled_from([0, 1, 9, 10, 999, 1000, 9999, 10_000, 10**8, 10**9 - 1])


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """Words of every sort."""
    vocabulary = Vocabulary()
    for _ in range(draw(st.integers(0, 4))):
        vocabulary.cause(draw(words | st.just("")), draw(words | st.just("")))
    for _ in range(draw(st.integers(0, 3))):
        vocabulary.label(*draw(st.tuples(words, words | st.just("")) | st.tuples(st.just(""), words)))
        vocabulary.name(draw(words))
    return vocabulary


@st.composite
def rows(draw: st.DrawFn, vocabulary: Vocabulary) -> Row:
    """An event of any kind, every column filled in the ways that its kind allows."""
    kind = draw(st.sampled_from([kind for kind in SPECS if vocabulary.names or SPECS[kind].value is not Value.NAME]))
    spec = SPECS[kind]
    untold = kind is Kind.FAULT_INJECTED and draw(st.booleans())
    task = -1 if untold or not spec.uses("task") else draw(numbers) << KEY_SHIFT | draw(st.integers(0, 1))
    attempt = draw(st.integers(0, 999)) if spec.uses("attempt") and task >= 0 else 0
    attempt = draw(st.integers(1, 99_999_999)) if spec.uses("records") else attempt
    value: float = np.nan
    if spec.value in {Value.SECONDS, Value.NUMBER}:
        value = draw(ticks(8 * 10**9))
    elif spec.value is Value.NAME:
        value = float(draw(st.integers(0, len(vocabulary.names) - 1)))
    return {
        "t": draw(ticks(LARGEST_S)),
        "kind": int(kind),
        "task": task,
        "attempt": attempt,
        "worker": draw(st.integers(-1, 99_999)) if spec.uses("worker") else -1,
        "cause": draw(st.integers(0, len(vocabulary.causes) - 1)) if spec.uses("cause") else 0,
        "label": draw(st.integers(-1, len(vocabulary.labels) - 1)) if spec.uses("label") else -1,
        "value": value,
    }


@st.composite
def streams(draw: st.DrawFn) -> tuple[Vocabulary, list[Row]]:
    """A vocabulary and rows in time order."""
    vocabulary = draw(vocabularies())
    found = draw(st.lists(rows(vocabulary), min_size=1, max_size=12))
    return vocabulary, sorted(found, key=lambda row: row["t"])


def block_of_rows(found: list[Row]) -> Block:
    """A block of these rows."""
    columns = {name: [row[name] for row in found] for name in COLUMNS}
    return make_block(columns.pop("t"), columns.pop("kind"), until_s=found[-1]["t"], **columns)


def plain(row: Row, vocabulary: Vocabulary) -> Row:
    """The row as the JSON object that its line should be."""
    spec, task = SPECS[Kind(row["kind"])], row["task"]
    cause = vocabulary.causes[row["cause"]]
    line: Row = {"t": row["t"], "type": spec.type}
    if task >= 0:
        arrival = str(task >> KEY_SHIFT)
        line |= {"task": arrival + (".2" if task & COPY else "")}
        line |= {"key": arrival} if spec.uses("key") else {}
        line |= {"attempt": row["attempt"]} if spec.uses("attempt") else {}
    line |= {"worker": row["worker"]} if row["worker"] >= 0 else {}
    line |= {"records": row["attempt"]} if spec.uses("records") else {}
    line |= {spec.value_name: row["value"]} if spec.value in {Value.SECONDS, Value.NUMBER} else {}
    line |= {"state": spec.state} if spec.state else {}
    label = asdict(vocabulary.labels[row["label"]]) if row["label"] >= 0 else {}
    line |= {name: word for name, word in label.items() if word}
    line |= {spec.value_name: vocabulary.names[int(row["value"])]} if spec.value is Value.NAME else {}
    line |= {"fault": cause.fault} if cause.fault else {}
    return line | ({"error": cause.error} if cause.error else {})


@settings(max_examples=300, deadline=None)
@given(streams())
def test_every_line_is_the_plain_json_of_its_row(stream: tuple[Vocabulary, list[Row]]) -> None:
    vocabulary, found = stream
    block = block_of_rows(found)
    text = LineFormatter(vocabulary).format(block).decode("utf-8")
    assert LineFormatter(vocabulary).by_numpy(block).decode("utf-8") == text
    assert text.endswith("\n")
    pairs = [json.loads(line, object_pairs_hook=list) for line in text.split("\n")[:-1]]
    assert pairs == [list(plain(row, vocabulary).items()) for row in found]


@settings(max_examples=100, deadline=None)
@given(stream=streams(), cut=st.integers(0, 12))
def test_lines_do_not_depend_on_the_block_they_come_in(stream: tuple[Vocabulary, list[Row]], cut: int) -> None:
    vocabulary, found = stream
    block = block_of_rows(found)
    formatter = LineFormatter(vocabulary)
    halves = [block.take(slice(0, cut)), block.take(slice(cut, None))]
    assert b"".join(map(formatter.format, halves)) == formatter.format(block)


@settings(max_examples=100, deadline=None)
@given(streams())
def test_a_stream_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, stream: tuple[Vocabulary, list[Row]]
) -> None:
    vocabulary, found = stream
    path = tmp_path_factory.mktemp("stream") / "soak.jsonl"
    with StreamWriter(path, IDENTITY, vocabulary) as writer:
        for row in found:
            writer.append(block_of_rows([row]))
    again = Vocabulary()
    reader = StreamReader(path, again)
    [block] = reader.blocks()
    assert (reader.identity, reader.cut, writer.events) == (IDENTITY, False, len(found))
    assert LineFormatter(again).format(block) == LineFormatter(vocabulary).format(block_of_rows(found))
    for name in ("t", "kind", "task", "attempt", "worker"):
        assert getattr(block, name).tolist() == [row[name] for row in found], name


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.name)
def test_every_kind_reads_back(kind: Kind, tmp_path: Path) -> None:
    vocabulary = Vocabulary()
    vocabulary.name("x")
    block = make_block(
        [1.5],
        [kind],
        until_s=1.5,
        task=[6 if SPECS[kind].uses("task") else -1],
        attempt=[1 if SPECS[kind].uses("records") else 0],
        value=[0.0 if SPECS[kind].value is Value.NAME else 7.25 if SPECS[kind].value is not Value.NONE else np.nan],
    )
    path = tmp_path / "soak.jsonl"
    with StreamWriter(path, IDENTITY, vocabulary) as writer:
        writer.append(block)
    [found] = StreamReader(path, Vocabulary()).blocks()
    for name in COLUMNS:
        assert np.array_equal(getattr(found, name), getattr(block, name), equal_nan=True), name


def test_a_long_block() -> None:
    vocabulary = Vocabulary()
    causes = [vocabulary.cause(f"fault-{number}", "error") for number in range(9)]
    made = [
        {"t": n / 7, "kind": int(Kind.TASK_RETRY), "task": n * n, "attempt": n % 4 + 1, "worker": n % 11}
        | {"cause": causes[n % 9], "label": -1, "value": float(n * n)}
        for n in range(10_000)
    ]
    lines = LineFormatter(vocabulary).format(block_of_rows(made)).splitlines()
    expected = [plain(row | {"t": round(row["t"], 6)}, vocabulary) for row in made]
    assert [json.loads(line) for line in lines] == expected


def test_an_empty_block_is_no_line() -> None:
    assert LineFormatter(Vocabulary()).format(make_block([], [], until_s=5.0)) == b""


def test_a_fault_by_time_names_no_task() -> None:
    vocabulary = Vocabulary()
    cause = vocabulary.cause("down", "db_outage")
    block = make_block([60.0], [Kind.FAULT_INJECTED], until_s=60.0, cause=[cause])
    line = b'{"t":60.000000,"type":"fault.injected","fault":"down","error":"db_outage"}\n'
    assert LineFormatter(vocabulary).format(block) == line


def test_words_may_be_added_while_a_stream_is_written() -> None:
    vocabulary = Vocabulary()
    formatter = LineFormatter(vocabulary)
    for number in range(200):
        cause = vocabulary.cause(f"fault-{number}", "")
        block = make_block([1.0], [Kind.FAULT_SEEN], until_s=1.0, cause=[cause])
        assert json.loads(formatter.format(block))["fault"] == f"fault-{number}"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("task", 10**9 << KEY_SHIFT),
        ("attempt", 10**4),
        ("worker", 10**8),
        ("value", -1.0),
        ("value", np.nan),
        ("value", 1e13),
        ("t", -1.0),
        ("t", 1e13),
    ],
)
def test_a_number_that_has_no_room_is_an_error(column: str, value: float) -> None:
    columns = {"t": [1.0], "task": [2], "value": [1.0]} | {column: [value]}
    block = make_block(columns.pop("t"), [Kind.TASK_RETRY], until_s=1.0, **columns)
    with pytest.raises(SoakError, match=r"too large for|cannot store"):
        LineFormatter(Vocabulary()).format(block)
