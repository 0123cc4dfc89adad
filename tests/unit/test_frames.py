"""Events, series and objectives of a run as tables: what a table holds is what the files hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

import soak
from soak.runner.cli import run_command
from soak.runner.export import parquet as tables
from soak.runner.frames import columns
from soak.schemas.stream.events import SPECS

ROOT = Path(__file__).resolve().parents[2]
LOSSY = {"duration": "20m", "seed": 5}
FILES = ("events", "series", "objectives")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> soak.Run:
    return soak.run(ROOT / "scenarios" / "72h.yaml", settings=LOSSY, out=tmp_path_factory.mktemp("frames") / "run")


@pytest.fixture(scope="module")
def exported(run: soak.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tables"
    assert run_command(["export", str(run.path), "--parquet", "--out", str(folder)]) == 0
    return folder


def lines(run: soak.Run) -> list[dict[str, object]]:
    """The events as the stream has them."""
    return [dict(event.data) for event in run.events()]


def as_lines(table: pa.Table) -> list[dict[str, object]]:
    """The rows of a table of events, with the names of the stream and without what is null."""
    names = {each.title: each.name for each in columns.COLUMNS}
    return [{names[key]: value for key, value in row.items() if value is not None} for row in table.to_pylist()]


def test_a_table_of_events_holds_every_event_and_all_it_says(run: soak.Run) -> None:
    table = run.events.arrow()
    assert len(table) == run.manifest.events > 1000
    assert as_lines(table) == lines(run)
    assert list(run.events) == list(run.events())


def test_words_are_dictionaries_times_are_seconds_and_the_schema_says_of_which_run(run: soak.Run) -> None:
    schema = run.events.arrow().schema
    assert schema.field("type").type == pa.dictionary(pa.int32(), pa.string())
    assert schema.field("due_s").metadata == {b"unit": b"s", b"description": b"Planned scenario time."}
    assert {name for name in schema.names if (schema.field(name).metadata or {}).get(b"unit") == b"s"} == {
        "t_s",
        "due_s",
        "ran_s",
        "gap_s",
        "pause_s",
    }
    said = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert (said["soak.scenario"], said["soak.seed"], said["soak.target"]) == ("72h", "5", "simulation")
    assert said["soak.version"] == run.manifest.versions["soak"]
    assert run.series.arrow().schema.metadata == schema.metadata


def test_every_field_that_an_event_can_have_has_a_column() -> None:
    written = {"t", "type", "tenant", "kind", "fault", "error", "state"}
    written |= {column for spec in SPECS.values() for column in spec.columns.split()} - {"cause", "label"}
    written |= {spec.value_name for spec in SPECS.values() if spec.value_name}
    assert {each.name for each in columns.COLUMNS} == written


def test_only_some_types(run: soak.Run) -> None:
    table = run.events.arrow(types=["task.retry", "task.failed"])
    wanted = [each for each in lines(run) if each["type"] in {"task.retry", "task.failed"}]
    assert as_lines(table) == wanted != []
    assert len(run.events.arrow(types=["no.such"])) == 0


def test_pieces_of_the_stream_make_the_same_table(run: soak.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.events.arrow()
    monkeypatch.setattr(columns, "_PIECE_BYTES", 1000)
    pieces = list(run.events.batches())
    assert len(pieces) > 50
    assert max(map(len, pieces)) < 40
    assert run.events.arrow().to_pylist() == whole.to_pylist()


def test_pandas_and_polars_have_the_same_values(run: soak.Run) -> None:
    rows = run.events.arrow().to_pylist()
    frame, table = run.events.pandas(), run.events.polars()
    assert table.to_dicts() == rows
    assert table.schema["type"] == pl.Categorical
    assert isinstance(frame["type"].dtype, pd.CategoricalDtype)
    assert [str(frame[name].dtype) for name in ("t_s", "attempt", "planned")] == ["float64", "Int32", "Int64"]
    assert frame["type"].tolist() == [row["type"] for row in rows]
    assert [None if pd.isna(each) else each for each in frame["attempt"]] == [row["attempt"] for row in rows]
    assert frame.attrs["soak.scenario"] == "72h"


def test_series_in_every_form(run: soak.Run) -> None:
    series = run.series
    assert list(series) == list(run.metrics.columns)
    assert series.t_s.tolist()[:2] == [60.0, 120.0]
    assert series.numpy().shape == (len(series.t_s), len(series))
    expected = run.metrics.columns["latency_p95_s"]
    for found in (series["latency_p95_s"], series.pandas()["latency_p95_s"].to_numpy()):
        np.testing.assert_array_equal(found, expected)
    assert [np.nan if each is None else each for each in series.polars()["latency_p95_s"].to_list()] == pytest.approx(
        expected.tolist(), nan_ok=True
    )
    fields = series.arrow().schema
    assert [fields.field(name).metadata[b"unit"] for name in ("t_s", "latency_p95_s", "done")] == [b"s", b"s", b"1"]


def test_what_was_not_observed_is_null(tmp_path: Path) -> None:
    series = soak.Series({"t_s": np.array([60.0, 120.0]), "latency_p95_s": np.array([np.nan, 2.5])}, {})
    assert series.arrow().column("latency_p95_s").to_pylist() == [None, 2.5]
    assert np.isnan(series.pandas()["latency_p95_s"][0])


def test_parquet_reads_back_as_the_stream(run: soak.Run, exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == [
        "events.parquet",
        "objectives.parquet",
        "series.parquet",
    ]
    assert as_lines(parquet.read_table(exported / "events.parquet")) == lines(run)
    np.testing.assert_array_equal(pd.read_parquet(exported / "series.parquet").to_numpy(), run.series.numpy())
    rows = parquet.read_table(exported / "objectives.parquet").to_pylist()
    assert [(row["objective"], row["value"], row["margin"], row["status"]) for row in rows] == [
        (each.objective, each.value, each.margin, each.status) for each in run.verdict.objectives
    ]
    assert pl.read_parquet(exported / "events.parquet").height == run.manifest.events
    for name in FILES:
        said = parquet.read_schema(exported / f"{name}.parquet").metadata
        assert (said[b"soak.seed"], said[b"soak.scenario"], said[b"soak.target"]) == (b"5", b"72h", b"simulation")
        assert said[b"soak.version"] == run.manifest.versions["soak"].encode()


def test_it_is_written_by_row_groups(run: soak.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_PIECE_BYTES", 2000)
    monkeypatch.setattr(tables, "_GROUP_ROWS", 100)
    held: list[int] = []
    groups = tables._groups

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
        for table in groups(batches):
            held.append(len(table))
            yield table

    monkeypatch.setattr(tables, "_groups", counted)
    tables.export_parquet(run, tmp_path / "tables")
    file = parquet.ParquetFile(tmp_path / "tables" / "events.parquet")
    assert file.num_row_groups > 5
    assert max(held) < 200
    assert as_lines(file.read()) == lines(run)


def test_labels_and_intervals_of_objectives() -> None:
    result = soak.ObjectiveResult(
        "latency_p95{tenant=a} <= 2s",
        "latency_p95",
        {"tenant": "a"},
        1.0,
        2.0,
        "<=",
        "duration",
        soak.Status.PASS,
        1.0,
        40,
        1,
        (None, 1.5),
        0.95,
        "",
    )
    from soak.runner.frames.objectives import objectives_table

    table = objectives_table(SimpleNamespace(objectives=[result]), {})  # type: ignore[arg-type]
    row = table.to_pylist()[0]
    assert row["labels"] == [("tenant", "a")]
    assert (row["interval_low"], row["interval_high"], row["warn"], row["effective_samples"]) == (None, 1.5, None, None)


def test_objectives_are_tables_of_what_the_verdict_says(run: soak.Run) -> None:
    assert list(run.objectives) == run.verdict.objectives
    margins = [each.margin for each in run.verdict.objectives]
    assert len(margins) == len(run.objectives) == 4
    table = run.objectives.arrow()
    assert table["margin"].to_pylist() == run.objectives.polars()["margin"].to_list() == margins
    assert run.objectives.pandas()["margin"].tolist() == run.objectives.numpy()["margin"].tolist() == margins
    assert run.objectives.numpy().dtype.names == tuple(table.column_names)
    assert run.objectives.numpy()["objective"].tolist() == table["objective"].to_pylist()
    assert run.objectives.pandas().attrs["soak.scenario"] == "72h"


@pytest.mark.parametrize(
    ("damage", "number"),
    [
        (b'{"type":"task.done"}\n', 4),
        (b'{"t":1.0}\n', 4),
        (b"nonsense\n", 4),
        (b'{"t":1.0,"type":"task.done","attempt":"one"}\n', 4),
        (b'{"t":1.0,"type":"run.ended","planned":1.5}\n', 4),
        (b'{"t":1.0,"type":"run.ended","surprise":1}\n', 4),
        (b"\n", 4),
    ],
)
def test_the_line_that_is_damaged_is_named(damage: bytes, number: int, run: soak.Run, tmp_path: Path) -> None:
    content = (run.path / "soak_72h.jsonl").read_bytes().splitlines(keepends=True)
    copied = tmp_path / "soak_72h.jsonl"
    copied.write_bytes(b"".join([*content[: number - 1], damage, *content[number - 1 :]]))
    with pytest.raises(soak.EvidenceError, match=rf"soak_72h.jsonl:{number}: not an event"):
        soak.Events(copied, {}).arrow()


def test_a_last_line_that_is_cut_off_ends_the_table(run: soak.Run, tmp_path: Path) -> None:
    content = (run.path / "soak_72h.jsonl").read_bytes()
    copied = tmp_path / "soak_72h.jsonl"
    copied.write_bytes(content[:-3])
    assert len(soak.Events(copied, {}).arrow()) == run.manifest.events - 1
    copied.write_bytes(content.splitlines(keepends=True)[0])
    assert soak.Events(copied, {}).polars().is_empty()
    copied.unlink()
    with pytest.raises(soak.EvidenceError, match="No such file or directory"):
        soak.Events(copied, {}).arrow()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parquet"], "--parquet writes several files (add --out DIR)"),
        (["--parquet", "--out", "{run}/tables"], "whose evidence must not change"),
        (["--parquet", "--out", "{file}"], "is not a folder"),
        (["--parquet", "--step", "1m", "--out", "x"], "remove --step and --start"),
        ([], "add --openmetrics, --line-protocol or --parquet"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_line(
    words: list[str], said: str, run: soak.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"run": run.path, "file": ROOT / "README.md"}
    assert run_command(["export", str(run.path), *(each.format(**places) for each in words)]) == 2
    assert said in capsys.readouterr().err


def test_what_was_written_can_be_read_by_programs(
    run: soak.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["export", str(run.path), "--parquet", "--out", str(tmp_path), "--json"]) == 0
    rows = {Path(each["file"]).name: each["rows"] for each in json.loads(capsys.readouterr().out)}
    assert rows == {
        "events.parquet": run.manifest.events,
        "series.parquet": len(run.series.t_s),
        "objectives.parquet": len(run.verdict.objectives),
    }
    assert [finding for finding in run.verify() if finding.problem] == []
