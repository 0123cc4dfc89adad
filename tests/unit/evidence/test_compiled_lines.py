"""The compiled part that formats blocks: equal to what NumPy makes of them, to the last byte."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_evidence_lines import Row, block_of_rows, streams

from soak.runner.evidence import compiled_lines
from soak.runner.evidence.compiled_lines import CompiledFormatter, formatter_for
from soak.runner.evidence.lines import LineFormatter
from soak.schemas.errors import SoakError
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import SPECS, Kind, Spec, Value, register, registration
from soak.schemas.stream.vocabulary import Vocabulary


@pytest.fixture(autouse=True, scope="module")
def _part() -> None:
    if formatter_for(Vocabulary(), None) is None:
        pytest.skip("no compiled parts here")


def compiled(vocabulary: Vocabulary, block: Block) -> bytes | None:
    """The lines by the compiled part; None: left to NumPy."""
    formatter = formatter_for(vocabulary, None)
    pieces = formatter.pieces(block) if formatter else None
    return None if pieces is None else b"".join(map(bytes, pieces))


def outcome(make: Callable[[], bytes | None]) -> bytes | None | type[Exception]:
    """What it gives, or the class of what it raises."""
    try:
        return make()
    except (SoakError, IndexError, KeyError, ValueError) as error:
        return type(error)


@settings(max_examples=100)
@given(streams())
def test_lines_are_equal_to_the_last_byte(stream: tuple[Vocabulary, list[Row]]) -> None:
    vocabulary, found = stream
    block = block_of_rows(found)
    assert compiled(vocabulary, block) == LineFormatter(vocabulary).by_numpy(block)


def of_any_size(largest: int) -> st.SearchStrategy[int]:
    return st.integers(-1, 3) | st.integers(-2, 2 * largest) | st.sampled_from([largest - 1, largest])


@st.composite
def unkempt(draw: st.DrawFn) -> tuple[Vocabulary, Block]:
    """A block with anything at all in columns that its kinds may not use."""
    vocabulary = Vocabulary()
    vocabulary.cause("한국어", 'say "hi"')
    vocabulary.label("a", "")
    vocabulary.label("", "b")
    for name in ("", "nul\0nul"):
        vocabulary.name(name)
    row = st.fixed_dictionaries(
        {
            "t": st.floats(0, 1e9) | st.sampled_from([-0.0, 4503599627.370497, 8.9e12, 9e12]),
            "kind": st.sampled_from(list(SPECS)).map(int),
            "task": of_any_size(2 * 10**9),
            "attempt": of_any_size(10**4) | of_any_size(10**8),
            "worker": of_any_size(10**8),
            "cause": st.integers(0, 1),
            "label": st.integers(-1, 1),
            "value": st.floats(0, 1) | st.sampled_from([np.nan, -1.0, 0.0, 1.0, 2.0, 8.9e12, 9e12, -0.0]) | st.floats(),
        }
    )
    rows: list[dict[str, Any]] = sorted(draw(st.lists(row, min_size=1, max_size=5)), key=lambda each: each["t"])
    columns = {name: np.array([each[name] for each in rows]) for name in rows[0]}
    # A number for a name that there is not is no more than any other number: NumPy counts up to it.
    named = np.array([SPECS[Kind(each["kind"])].value is Value.NAME for each in rows])
    columns["value"] = np.where(named, np.clip(columns["value"], -1, 2), columns["value"])
    return vocabulary, Block(**columns, until_s=float(columns["t"][-1]))


@settings(max_examples=120)
@given(unkempt())
def test_whatever_is_written_is_what_numpy_writes(made: tuple[Vocabulary, Block]) -> None:
    vocabulary, block = made
    ours = compiled(vocabulary, block)
    with np.errstate(invalid="ignore"):
        theirs = outcome(lambda: LineFormatter(vocabulary).by_numpy(block))
        assert outcome(lambda: LineFormatter(vocabulary).format(block)) == theirs
    assert ours is None or ours == theirs


def test_a_block_longer_than_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_lines, "BUFFER", 1)
    vocabulary = Vocabulary()
    cause = vocabulary.cause("x" * 5000)
    block = make_block(
        np.arange(3000) / 3,
        [Kind.TASK_RETRY] * 3000,
        until_s=1e3,
        task=np.arange(3000) ** 2,
        cause=[cause] * 3000,
        value=np.arange(3000) * 1e5,
    )
    formatter = formatter_for(vocabulary, None)
    assert formatter is not None
    assert len(list(formatter.pieces(block) or ())) > 500
    assert compiled(vocabulary, block) == LineFormatter(vocabulary).by_numpy(block)


def test_kinds_of_another_system_are_formatted_once_they_are_registered() -> None:
    spec = Spec("valve.stuck", "a valve is stuck", "task worker cause", "to", Value.NAME)
    vocabulary = Vocabulary()
    vocabulary.name("offen")
    formatter = LineFormatter(vocabulary)
    formatter.format(make_block([0.0], [Kind.RUN_STARTED], until_s=0.0))
    with pytest.raises(ZeroDivisionError), registration():
        [kind] = register([spec])
        block = make_block([1.0], [kind], until_s=1.0, task=[7], worker=[2], value=[0.0])
        line = b'{"t":1.000000,"type":"valve.stuck","task":"3.2","worker":2,"to":"offen"}\n'
        assert formatter.format(block) == line
        assert compiled(vocabulary, block) == line
        raise ZeroDivisionError
    assert compiled(vocabulary, block) is None


def test_words_that_are_no_text_are_left_to_numpy() -> None:
    vocabulary = Vocabulary()
    vocabulary.name("\ud800")
    assert formatter_for(vocabulary, None) is None
    line = b'{"t":0.000000,"type":"run.started"}\n'
    assert LineFormatter(vocabulary).format(make_block([0.0], [Kind.RUN_STARTED], until_s=0.0)) == line


def test_without_a_compiled_part_numpy_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_lines.LIBRARY, "load_or_none", lambda: None)
    former: CompiledFormatter | None = formatter_for(Vocabulary(), None)
    assert former is None
    line = b'{"t":0.000000,"type":"run.started"}\n'
    assert LineFormatter(Vocabulary()).format(make_block([0.0], [Kind.RUN_STARTED], until_s=0.0)) == line


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (1.0, b'{"t":0.500000,"type":"run.marked","name":"b","by":"me"}\n'),
        (np.nan, b'{"t":0.500000,"type":"run.marked","name":"a","by":"me"}\n'),
        (-1.0, b'{"t":0.500000,"type":"run.marked","by":"me"}\n'),
    ],
)
def test_who_it_was_and_a_name(name: float, line: bytes) -> None:
    vocabulary = Vocabulary()
    vocabulary.name("a")
    vocabulary.name("b")
    who = vocabulary.cause("", "me")
    block = make_block([0.5], [Kind.RUN_MARKED], until_s=0.5, cause=[who], value=[name])
    assert compiled(vocabulary, block) == line
    assert LineFormatter(vocabulary).by_numpy(block) == line


@pytest.mark.parametrize(("column", "most"), [("task", 2 * 10**9 - 1), ("attempt", 10**4 - 1), ("worker", 10**8 - 1)])
def test_numbers_beyond_the_room_of_the_stream_are_left_to_numpy(column: str, most: int) -> None:
    def block(number: int) -> Block:
        columns = {"task": [0], "worker": [0], "attempt": [0], column: [number]}
        return make_block([0.5], [Kind.TASK_DISPATCHED], until_s=0.5, **columns)

    assert compiled(Vocabulary(), block(most)) == LineFormatter(Vocabulary()).by_numpy(block(most))
    assert compiled(Vocabulary(), block(most + 1)) is None
