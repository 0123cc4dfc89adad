"""The Markdown table of the queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.queue_md import QueueFormatError, QueueRow, parse, render, replace_table

DOCUMENT = """# Queue

| key | title | state |
|-----|:-----:|-------|
| a   | x\\|y  |       |
| b   |       | done  |

Text below.
"""


def test_a_table_is_parsed() -> None:
    assert parse(DOCUMENT) == [QueueRow("a", title="x|y"), QueueRow("b", state=TaskState.DONE)]


def test_the_text_around_the_table_stays() -> None:
    text = replace_table(DOCUMENT, [QueueRow("c", id=3)])
    assert text.startswith("# Queue\n\n| id | key |")
    assert text.endswith("| 3 | c |  | PENDING | 0 |  |  |\n\nText below.\n")
    assert replace_table("# Queue\n", []).startswith("# Queue\n\n| id")


@pytest.mark.parametrize("text", ["", "no table\n"])
def test_no_table_is_no_tasks(text: str) -> None:
    assert parse(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("| title |\n|---|\n", "line 1: the column 'key' is missing"),
        ("| key | prio |\n", "line 1: no column 'prio'; there are id, key"),
        ("| key |\n|---|\n| a | b |\n", "line 3: 2 cells, but the table has 1 columns"),
        ("| key | id |\n|---|---|\n|  | 1 |\n", "line 3: the key is empty"),
        ("| key | state |\n|---|---|\n| a | open |\n", "line 3: no state 'OPEN'; there are PENDING"),
        ("| key | id |\n|---|---|\n| a | x |\n", "line 3: 'x' is not a number"),
        ("| key |\n|---|\n| a |\n| a |\n", "the key 'a' is added twice"),
    ],
)
def test_a_wrong_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueueFormatError) as caught:
        parse(text)
    assert message in str(caught.value)


WORDS = st.text(st.characters(codec="ascii", exclude_characters="\\<\r\n\v\f\x1c\x1d\x1e"), max_size=8).map(str.strip)
ROWS = st.builds(
    QueueRow,
    key=WORDS.filter(lambda key: key.strip(" |:-") != ""),
    id=st.integers(1, 10**9),
    title=WORDS,
    state=st.sampled_from(TaskState),
    attempt=st.integers(0, 99),
    owner=WORDS,
    notes=st.lists(WORDS, max_size=3).map("\n".join).map(str.strip),
)


@given(st.lists(ROWS, max_size=5))
def test_what_is_rendered_is_parsed_again(rows: list[QueueRow]) -> None:
    assert parse(render(rows)) == rows
