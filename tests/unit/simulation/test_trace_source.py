"""Arrivals of a trace: in order whatever the file, the same for every question, faster, fewer and more."""

from pathlib import Path

import numpy as np
import pytest

from soak.schemas.errors import UsageError
from soak.schemas.language.trace import Trace
from soak.schemas.trace import text_file
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import survey
from soak.simulation.streams import BLOCK, Stream
from soak.simulation.trace import TraceArrivals, Traced

ROWS = 20_000


@pytest.fixture
def generator() -> np.random.Generator:
    return Stream(3, "trace tests").at(0)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "PIECE_BYTES", 1 << 14)


def written(folder: Path, time_s: np.ndarray, service_s: np.ndarray, order: np.ndarray | None = None) -> Reading:
    """A CSV file of these rows, in this order."""
    path = folder / "trace.csv"
    places = range(len(time_s)) if order is None else order.tolist()
    rows = "".join(f"{time_s[n]:.6f},k{n % 3},{service_s[n]:.3f}\n" for n in places)
    path.write_text(f"t,k,s\n{rows}", encoding="utf-8")
    return Reading(path, "t", kind="k", service="s")


def played(reading: Reading, *, speed: float = 1.0, scale: float = 1.0, repeat: bool = False) -> Trace:
    return Trace(reading, 0, speed, scale, repeat, survey(reading))


def times(blocks: list[Traced]) -> np.ndarray:
    return np.concatenate([block.due_s for block in blocks])


@pytest.mark.usefixtures("small_pieces")
def test_rows_that_come_late_in_the_file_are_put_in_order(tmp_path: Path, generator: np.random.Generator) -> None:
    time_s = np.round(np.cumsum(generator.exponential(0.5, ROWS)), 6)
    service_s = np.round(generator.exponential(1.0, ROWS), 3)
    late = generator.uniform(0, 2000, ROWS) * (generator.random(ROWS) < 0.3)
    reading = written(tmp_path, time_s, service_s, np.argsort(np.arange(ROWS) + late, kind="stable"))
    trace = played(reading)
    blocks = list(TraceArrivals(trace, 1, 1e9).within())
    assert len(trace.seen.places) > 5
    assert trace.seen.disordered.count > 1000
    assert [len(block) for block in blocks[:-1]] == [BLOCK] * (len(blocks) - 1)
    assert times(blocks).tolist() == time_s.tolist()
    assert np.concatenate([block.service_s for block in blocks]).tolist() == service_s.tolist()
    names = [trace.seen.known.kinds[number] for block in blocks for number in block.kind.tolist()]
    assert names == [f"k{n % 3}" for n in range(ROWS)]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(("speed", "scale", "repeat"), [(1, 1, False), (2, 1.5, True), (1, 0.3, True), (3, 2.5, False)])
def test_a_block_is_the_same_whenever_it_is_asked_for(
    tmp_path: Path, generator: np.random.Generator, speed: float, scale: float, repeat: bool
) -> None:
    time_s = np.cumsum(generator.exponential(0.5, ROWS))
    trace = played(written(tmp_path, time_s, time_s), speed=speed, scale=scale, repeat=repeat)
    blocks = list(TraceArrivals(trace, 7, 12_000.0).blocks())
    assert len(blocks) >= 2
    again = TraceArrivals(trace, 7, 12_000.0)
    for place in [len(blocks) - 2, 0, len(blocks) - 1, 1, 0]:
        found, first = again.block(place), blocks[place]
        assert found.due_s.tolist() == first.due_s.tolist()
        assert found.service_s.tolist() == first.service_s.tolist()
        assert found.kind.tolist() == first.kind.tolist()


@pytest.mark.parametrize("scale", [0.25, 1.5, 3.0])
def test_scale_keeps_the_shape(tmp_path: Path, generator: np.random.Generator, scale: float) -> None:
    busy = np.sort(generator.uniform(0, 100, 15_000))
    time_s = np.concatenate([busy, np.sort(generator.uniform(100, 200, 5_000))])
    trace = played(written(tmp_path, time_s, time_s), scale=scale)
    due_s = times(list(TraceArrivals(trace, 1, 1e9).within()))
    assert (np.diff(due_s) >= 0).all()
    for part, rows in ((due_s < 100, 15_000), (due_s >= 100, 5_000)):
        chance = scale % 1
        # Binomial: beyond five standard deviations once in two million times.
        assert abs(int(part.sum()) - scale * rows) <= 5 * np.sqrt(rows * chance * (1 - chance)) + 1
    # In microseconds few of them meet: nothing comes in batches.
    assert len(np.unique(due_s)) > 0.99 * len(due_s)


def test_scale_depends_on_the_seed_alone_and_one_has_none(tmp_path: Path, generator: np.random.Generator) -> None:
    time_s = np.cumsum(generator.exponential(0.5, 5_000))
    reading = written(tmp_path, time_s, time_s)
    half = played(reading, scale=0.5)
    one, same, other = (times(list(TraceArrivals(half, seed, 1e9).within())).tolist() for seed in (1, 1, 2))
    assert one == same != other
    whole = played(reading)
    assert (
        times(list(TraceArrivals(whole, 1, 1e9).within())).tolist()
        == times(list(TraceArrivals(whole, 2, 1e9).within())).tolist()
    )


def test_speed_and_repeat(tmp_path: Path) -> None:
    reading = written(tmp_path, np.array([0.0, 2.0, 6.0]), np.ones(3))
    trace = played(reading, speed=2, repeat=True)
    # A mean gap of three seconds lies between the last row and the first of the next turn.
    assert trace.round_s == 4.5
    assert times(list(TraceArrivals(trace, 1, 12.0).within())).tolist() == [0, 1, 3, 4.5, 5.5, 7.5, 9, 10]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    trace = played(written(tmp_path, np.arange(100) * 1.0, np.ones(100)))
    written(tmp_path, np.arange(100) * 2.0, np.ones(100))
    with pytest.raises(UsageError, match=r"trace\.csv: has changed since it was looked through"):
        list(TraceArrivals(trace, 1, 1e9).within())


def test_it_ends_where_arrivals_end(tmp_path: Path, generator: np.random.Generator) -> None:
    time_s = np.round(np.cumsum(generator.exponential(0.5, 5_000)), 6)
    trace = played(written(tmp_path, time_s, time_s))
    due_s = times(list(TraceArrivals(trace, 1, 1000.0).within()))
    assert due_s.tolist() == time_s[time_s < 1000].tolist()


def test_every_turn_of_a_thinned_trace_is_drawn_anew(tmp_path: Path) -> None:
    trace = played(written(tmp_path, np.arange(200) * 1.0, np.ones(200)), scale=0.5, repeat=True)
    due_s = times(list(TraceArrivals(trace, 1, 2 * trace.round_s).within()))
    first, second = due_s[due_s < trace.round_s], due_s[due_s >= trace.round_s] - trace.round_s
    assert first.tolist() != second.tolist()
