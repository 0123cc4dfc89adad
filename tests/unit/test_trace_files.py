"""Files of traces: CSV, JSON lines and Parquet, every form of a time, and what is said of rows that are wrong."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.schemas.trace import sample, text_file
from soak.schemas.trace import survey as survey_module
from soak.schemas.trace.fields import column_of, numbers
from soak.schemas.trace.open_trace import open_trace
from soak.schemas.trace.rows import TraceError, together
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import Survey, survey

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def file_of(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def seen(path: Path, **keys: Any) -> Survey:
    return survey(Reading(path, keys.pop("time", "t"), **keys))


def micros(path: Path, **keys: Any) -> list[int]:
    file = open_trace(Reading(path, keys.pop("time", "t"), **keys))
    return together([rows for _, rows in file.pieces()]).time_us.tolist()


# Times.

MOMENTS = st.datetimes(datetime(1975, 1, 1), datetime(2200, 1, 1))
OFFSETS = st.sampled_from([None, 0, 60, -330, 540])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(MOMENTS, OFFSETS, st.sampled_from("T ")), min_size=1, max_size=30))
def test_iso_times_are_those_of_the_library(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[datetime, int | None, str]]
) -> None:
    texts, expected = [], []
    for moment, offset, between in drawn:
        zone = UTC if offset is None else timezone(timedelta(minutes=offset))
        local = moment.replace(tzinfo=zone)
        text = (moment if offset is None else local).isoformat(between)
        texts.append(text.replace("+00:00", "Z"))
        expected.append((local - EPOCH) // timedelta(microseconds=1))
    path = file_of(tmp_path_factory.mktemp("iso"), "t\n" + "\n".join(texts))
    assert micros(path) == expected


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-28", "2026-03-28T00:00:00"),
        ("2026-03-28T09:00", "2026-03-28T09:00:00"),
        ("20260328T090000Z", "2026-03-28T09:00:00"),
        ("2026-03-28T09:00:00.1234567Z", "2026-03-28T09:00:00.123457"),
        ("2026-03-28T09:00:00,5", "2026-03-28T09:00:00.500000"),
        ("2026-03-28T09:00:00+0130", "2026-03-28T07:30:00"),
        ("2026-03-28T09:00:00-08", "2026-03-28T17:00:00"),
        ("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59.999999"),
    ],
)
def test_forms_of_a_time(tmp_path: Path, text: str, moment: str) -> None:
    expected = (datetime.fromisoformat(moment).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert micros(file_of(tmp_path, f't\n"{text}"\n')) == [expected]


def test_times_without_a_zone_are_local(tmp_path: Path) -> None:
    path = file_of(tmp_path, "t\n2026-03-29T01:59:59\n2026-03-29T03:00:00\n2026-07-01T12:00:00\n2026-07-01 12:00\n")
    expected = ["2026-03-29T00:59:59", "2026-03-29T01:00:00", "2026-07-01T10:00:00", "2026-07-01T10:00:00"]
    assert micros(path, zone="Europe/Berlin") == [
        (datetime.fromisoformat(each).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for each in expected
    ]


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1700000000.25", "", 1_700_000_000_250_000),
        ("1700000000250", "", 1_700_000_000_250_000),
        ("1700000000250001", "", 1_700_000_000_250_001),
        ("1700000000250001000", "", 1_700_000_000_250_001),
        ("0.25", "", 250_000),
        ("250", "ms", 250_000),
        ("1.7e9", "s", 1_700_000_000_000_000),
    ],
)
def test_numbers(tmp_path: Path, text: str, unit: str, expected: int) -> None:
    assert micros(file_of(tmp_path, f"t\n{text}\n"), unit=unit) == [expected]


def test_seconds_from_the_start_and_epoch_numbers_are_told_apart(tmp_path: Path) -> None:
    clocks = [
        (timing is not None and timing.clock)
        for text in ("12.5", "1700000000", "2026-03-28")
        for timing in [seen(file_of(tmp_path, f"t\n{text}\n")).known.timing]
    ]
    assert clocks == [False, True, True]


@given(st.lists(st.floats(-1e15, 1e15) | st.integers(-(10**17), 10**17), min_size=1, max_size=20))
def test_numbers_are_rounded_once(values: list[float]) -> None:
    found, bad = numbers(column_of([repr(value) for value in values]))
    assert found.tolist() == [float(value) for value in values]
    assert not bad.any()


# Rows.

CELLS = st.text(st.sampled_from('ab,"\n é\t;'), max_size=6)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=40), st.sampled_from(["\n", "\r\n"]), st.integers(20, 90))
def test_csv_is_read_as_the_library_writes_it(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], newline: str, piece: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline)
    writer.writerow(["first", "t", "last"])
    writer.writerows([one, str(place), other] for place, (one, other) in enumerate(cells))
    path = file_of(tmp_path_factory.mktemp("csv"), text.getvalue())
    before = text_file.PIECE_BYTES
    text_file.PIECE_BYTES = piece
    try:
        file = open_trace(Reading(path, "t"))
        pieces = list(file.pieces())
        rows = together([rows for _, rows in pieces])
        again = together([file.again(place) for place, _ in pieces])
    finally:
        text_file.PIECE_BYTES = before
    assert rows.time_us.tolist() == again.time_us.tolist() == [place * 1_000_000 for place in range(len(cells))]
    lines = [1 + text.getvalue()[:at].count("\n") for at in _starts(text.getvalue(), cells, newline)]
    assert rows.line.tolist() == again.line.tolist() == lines


def _starts(text: str, cells: list[tuple[str, str]], newline: str) -> list[int]:
    """Where each row begins."""
    starts, at = [], text.index(newline) + len(newline)
    for place, (one, other) in enumerate(cells):
        starts.append(at)
        row = io.StringIO()
        csv.writer(row, lineterminator=newline).writerow([one, str(place), other])
        at += len(row.getvalue())
    return starts


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = file_of(tmp_path, "\ufeff" + "\n".join(delimiter.join(row) for row in (["a", "t"], ["x", "1"], ["y", "2"])))
    assert micros(path) == [1_000_000, 2_000_000]


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"t": "2026-01-01T00:00:00Z", "k": "é", "s": 1}, {"s": 0.5, "t": "2026-01-01T00:00:01+00:00", "k": "b\\n"}]
    content = "\n" + "\n".join(json.dumps(row, ensure_ascii=bool(n)) for n, row in enumerate(rows)) + "\n\n"
    found = seen(file_of(tmp_path, content, "t.jsonl"), kind="k", service="s")
    assert found.kinds == {"é": 1, "b\\n": 1}
    assert (found.last_us - found.first_us, found.service_s) == (1_000_000, (0.5, 1.0))
    assert micros(file_of(tmp_path, '{"t": 1}\n{"t": 2.5}', "u.jsonl")) == [1_000_000, 2_500_000]


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(40_000)]
    table = pa.table(
        {"t": pa.array(moments, pa.timestamp("ms", tz="UTC")), "k": ["a", "b"] * 20_000, "s": list(range(40_000))}
    )
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=25_000)
    reading = Reading(tmp_path / "t.parquet", "t", kind="k", service="s")
    found = survey(reading)
    assert (found.rows, found.kinds, found.first_us) == (40_000, {"a": 20_000, "b": 20_000}, 1_767_225_600_000_000)
    file = open_trace(reading, found.known)
    for place in (found.places[-1], found.places[0], found.places[1]):
        assert file.again(place).line.tolist() == list(range(place.line, place.line + place.size))
        assert file.again(place).service_s.tolist() == list(range(place.line - 1, place.line - 1 + place.size))


# What is wrong.


def test_bad_rows_have_their_lines_and_are_counted(tmp_path: Path) -> None:
    rows = [f"{n},x" if n % 10 else "x,y" for n in range(1, 1001)]
    found = seen(file_of(tmp_path, "t,k\n" + "\n".join(rows)))
    assert found.rows == 900
    assert found.bad.count == 100
    assert found.bad.first == tuple((line, "'x' is not a number of s") for line in (11, 21, 31, 41, 51))


def test_ragged_rows(tmp_path: Path) -> None:
    found = seen(file_of(tmp_path, 't,k\n1,a\n2\n\n3,a,b\nx,a\n"4\n",a\n5,"a\nb"\n6,"a"\n7,8,\n'))
    assert [line for line, _ in found.bad.first] == [3, 5, 6, 7, 12]
    assert found.bad.first[0] == (3, "has 1 fields, and the header 2")
    assert micros(tmp_path / "t.csv") == [1_000_000, 5_000_000, 6_000_000]


def test_out_of_order_rows_within_a_window_and_beyond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "WINDOW", 10)
    monkeypatch.setattr(text_file, "PIECE_BYTES", 16)
    rows = list(range(100))
    rows.insert(30, 19)  # ten rows late
    rows.insert(70, 50)  # 18 rows late
    found = seen(file_of(tmp_path, "t\n" + "\n".join(map(str, rows))))
    assert found.disordered.first == (
        (32, "is 10s earlier than a row before it"),
        (72, "is 18s earlier than a row before it"),
    )
    assert found.late.first == ((72, "is 18s earlier"),)


@pytest.mark.parametrize("piece", [8, 1 << 19])
def test_duplicate_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(text_file, "PIECE_BYTES", piece)
    found = seen(file_of(tmp_path, "t,k\n1,a\n1,b\n2,a\n2,a\n3,a\n1,a\n2,a\n"))
    whole = ((5, "is the same as line 4"), (7, "is the same as line 2"), (8, "is the same as line 4"))
    assert found.duplicates.first == (whole if piece > 8 else whole[:1])


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="compressed"):
        seen(file_of(tmp_path, gzip.compress(b"t\n1\n")))
    with pytest.raises(TraceError, match="UTF-16"):
        seen(file_of(tmp_path, "t\n1\n".encode("utf-16")))
    with pytest.raises(TraceError, match="Parquet"):
        seen(file_of(tmp_path, b"PAR1....", "t.csv"))


def test_too_many_names(tmp_path: Path) -> None:
    found = seen(file_of(tmp_path, "t,k\n" + "\n".join(f"{n},k{n}" for n in range(1010))), kind="k")
    assert (len(found.kinds), found.bad.count) == (1000, 10)
    assert found.bad.first[0] == (1002, "kind 'k1000' is one more than 1,000")


def test_the_number_of_rows_in_bins_is_exact(tmp_path: Path) -> None:
    time_s = np.arange(50_000) * 7.0
    found = seen(file_of(tmp_path, "t\n" + "\n".join(map(str, time_s.tolist()))))
    assert int(found.counts.count.sum()) == 50_000
    assert len(found.counts.count) <= 8192
    assert found.counts.after(0) == 50_000
    assert found.counts.after(175_000_000_000) == pytest.approx(25_000, abs=10)


def test_a_sample_keeps_few_values_and_no_more_than_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_KEPT", 1_000)
    found = sample.Sample()
    for first in range(0, 100_000, 777):
        found.add(np.arange(first, min(first + 777, 100_000), dtype=np.float64))
    # A slice of an array keeps all of it.
    assert all(each.base is None for each in found.kept)
    assert found.count <= 1_000
    assert np.concatenate(found.kept).tolist() == [float(n) for n in range(0, 100_000, found.step)]
    quantiles = found.quantiles()
    assert len(quantiles) == sample.QUANTILES
    assert quantiles[256] == pytest.approx(50_000, abs=200)
