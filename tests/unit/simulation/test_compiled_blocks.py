"""The compiled part that turns rows into columns: equal to what NumPy makes of them, to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.schemas.language.load import load
from soak.schemas.stream.block import COLUMNS, Block, Floats
from soak.schemas.stream.events import SPECS, Kind
from soak.simulation import blocks
from soak.simulation.blocks import NOTHING_DUE, Due, RowKind, by_numpy, columns_of, compiled
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"

# Few values, so that many events come at one time, within half a microsecond of each other, or at a block's end.
TIMES = st.one_of(
    st.integers(0, 20).map(float),
    st.integers(0, 40).map(lambda half: 5 + half * 5e-7),
    st.floats(0, 20),
    st.floats(0, 3e8),
    st.just(-0.0),
)
VALUES = st.one_of(TIMES, st.floats(), st.sampled_from([-1.0, 4e15 + 0.5, 9e11, 1e300]))
NUMBERS = st.one_of(st.integers(-1, 5), st.integers(0, 2 * 10**9)).map(float)
ROW = st.tuples(TIMES, st.sampled_from([*SPECS, *RowKind]), NUMBERS, NUMBERS, NUMBERS, NUMBERS, VALUES)


def array_of(rows: list[tuple[float, ...]]) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(-1, blocks.WIDTH)


def ends_are_times(rows: Floats) -> bool:
    ends = rows[rows[:, blocks.KIND] >= RowKind.RUN]
    return bool((np.abs(ends[:, blocks.VALUE]) < 2e9).all())


@pytest.fixture(autouse=True, scope="module")
def _part() -> None:
    if compiled(NOTHING_DUE, [], 0.0) is None:
        pytest.skip("no compiled parts here")


@given(st.lists(ROW, max_size=200), TIMES, st.lists(TIMES, max_size=20), st.lists(st.integers(0, 200), max_size=3))
def test_every_column_is_equal_to_the_last_bit(
    rows: list[tuple[float, ...]], until_s: float, due_s: list[float], cuts: list[int]
) -> None:
    array, due = array_of(rows), Due(np.sort(np.array(due_s, dtype=np.float64)), np.arange(len(due_s)) * 2)
    pieces = np.split(array, sorted(min(cut, len(array)) for cut in cuts))
    made = compiled(due, pieces, until_s)
    if made is None:
        assert not ends_are_times(array)
        return
    for name, ours, theirs in zip(made._fields, made, by_numpy(due, pieces, until_s), strict=True):
        assert ours.dtype == theirs.dtype, name
        assert ours.tobytes() == theirs.tobytes(), name


@pytest.mark.parametrize("crowd", [1, 40, 200])
@pytest.mark.parametrize("span_s", [1e-3, 1.0, 3e8])
def test_times_that_lie_thick_and_thin_are_put_in_order(crowd: int, span_s: float) -> None:
    """Few in most intervals of equal length, and a crowd within a hundredth of one."""
    random = np.random.default_rng(crowd)
    at = np.concatenate([random.random(5000) * span_s, span_s / 3 + random.random(crowd) * span_s * 1e-6])
    rows = np.zeros((len(at), blocks.WIDTH))
    rows[:, blocks.T], rows[:, blocks.KIND], rows[:, blocks.TASK] = at, Kind.TASK_ENQUEUED, np.arange(len(at))
    made = compiled(NOTHING_DUE, [rows], np.inf)
    assert made is not None
    assert made.task.tolist() == np.argsort(blocks.quantise(at), kind="stable").tolist()


@pytest.mark.parametrize("size", [1, 47, 48, 49, 50_000])
def test_events_at_one_time_keep_the_order_of_their_rows(size: int) -> None:
    """Three times only, and the rows numbered by their tasks: within a time the numbers ascend."""
    rows = np.zeros((size, blocks.WIDTH))
    rows[:, blocks.T] = (np.arange(size) * 7919 % 3) * 1000.0
    rows[:, blocks.KIND], rows[:, blocks.TASK] = Kind.TASK_ENQUEUED, np.arange(size)
    made = compiled(NOTHING_DUE, [rows], np.inf)
    assert made is not None
    assert (np.diff(made.t) >= 0).all()
    assert (np.diff(made.task)[np.diff(made.t) == 0] > 0).all()
    assert made.task.tobytes() == by_numpy(NOTHING_DUE, [rows], np.inf).task.tobytes()


def test_an_attempt_that_ends_as_the_block_does_ends_in_the_next() -> None:
    rows = array_of([(1.0, RowKind.RUN, 8, 1, 0, 0, 5.0), (1.0, RowKind.RUN, 6, 1, 0, 0, 4.5)])
    made = compiled(NOTHING_DUE, [rows], 5.0)
    assert made is not None
    assert made.t.tolist() == [1.0, 1.0, 1.0, 1.0, 4.5, 4.5]
    assert made.running.tolist() == [[1.0, RowKind.END, 8, 1, 0, 0, 5.0]]


@pytest.mark.parametrize("t", [np.nan, np.inf, 3e9])
def test_a_time_out_of_the_ordinary_is_left_to_numpy(t: float) -> None:
    row = array_of([(t, Kind.RUN_STARTED, -1, 0, -1, 0, 0)])
    assert compiled(NOTHING_DUE, [row], np.inf) is None
    assert len(columns_of(NOTHING_DUE, [row], np.inf).t) == 1


def test_a_kind_that_there_is_not_is_left_to_numpy() -> None:
    row = array_of([(0, RowKind.END + 1, -1, 0, -1, 0, 0)])
    assert compiled(NOTHING_DUE, [row], np.inf) is None
    with pytest.raises(IndexError):
        columns_of(NOTHING_DUE, [row], np.inf)


def taken(recorder: Recorder, rows: Floats, at: list[float], *, whole: bool) -> list[Block]:
    """The blocks that end at these times, of rows that come one by one or (`whole`) all at once."""
    made, first = [], 0
    for until_s in [*at, np.inf]:
        last = int(np.searchsorted(rows[:, blocks.T], until_s, side="right"))
        if whole:
            recorder.record(rows[first:last])
        else:
            for row in rows[first:last].tolist():
                recorder.row(row)
        made.append(recorder.take(until_s))
        first = last
    return made


@pytest.mark.parametrize("name", ["gateway/5m", "aborts/blind"])
@settings(max_examples=25)
@given(rows=st.lists(ROW, max_size=60), at=st.lists(st.floats(0, 25), max_size=3).map(sorted))
def test_blocks_with_labels_and_losses_are_equal_too(name: str, rows: list[tuple[float, ...]], at: list[float]) -> None:
    plan = plan_of(name)
    array = array_of(rows)
    array = array[(array[:, blocks.KIND] < RowKind.RUN) | (np.abs(array[:, blocks.VALUE]) < 2e9)]
    array = array[np.argsort(array[:, blocks.T], kind="stable")]
    array[:, blocks.TASK] = np.clip(array[:, blocks.TASK], 0, 1000)
    ours = taken(Recorder(plan), array, at, whole=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "compiled", lambda due, pieces, until_s: None)
        theirs = taken(Recorder(plan), array, at, whole=False)
    for one, other in zip(ours, theirs, strict=True):
        assert [getattr(one, each).tobytes() for each in COLUMNS] == [
            getattr(other, each).tobytes() for each in COLUMNS
        ]


_plans: dict[str, Plan] = {}


def plan_of(name: str) -> Plan:
    if name not in _plans:
        _plans[name] = Plan(load(SCENARIOS / f"{name}.yaml").scenario)
    return _plans[name]


def test_rows_at_once_stand_between_those_one_by_one_and_can_be_cut_short() -> None:
    recorder = Recorder(plan_of("72h"))
    run = (1.0, RowKind.RUN, 8, 1, 0, 0, 9.0)
    recorder.row((1.0, Kind.RUN_STARTED, -1, 0, -1, 0, 0))
    given_rows = array_of([run, (1.0, RowKind.RUN, 6, 1, 1, 0, 9.0)])
    recorder.record(given_rows)
    recorder.row((1.0, RowKind.RUN, 4, 1, 2, 0, 9.0))
    recorder.cut_short(8, 1)
    block = recorder.take(20.0)
    assert block.task.tolist() == [-1, 8, 8, 6, 6, 4, 4, 6, 6, 4, 4]
    assert block.t.tolist() == [1.0] * 7 + [9.0] * 4
    assert given_rows[0].tolist() == list(run)
