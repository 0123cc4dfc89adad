"""The files of a pipeline's evidence, made from a few events: right figures, as their schemas say, and recomputed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import verify
from soak.runner.judge.account import Beside
from soak.runner.judge.pipeline.account import PipelineAccount
from soak.schemas.files import DIRECTORY
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

SCENARIO = """
version: 1
name: hand
title: By hand
system: pipeline
duration: 3m
drain: 1m
timezone: Asia/Seoul
start: 2026-03-01T23:58
workload:
  arrivals: {rate: 1/s}
  kinds: [{name: BTC, share: 70%}, {name: ETH, share: 30%}]
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw}
    - {name: signal, reads: raw, writes: signals}
  sinks: [{name: jsonl, of: signals}, {name: sqlite, of: signals}]
  supervisor: {restart: {backoff: {initial: 1s, factor: 2}}}
  alerts: {no_records: {for: 1m}, low_consistency: {above: 80%}}
  export: {every: 1m}
slos: [records >= 1]
telemetry: {sample_interval: 1m, max_gap: 5m}
"""

EVENTS = """
30 records.sent value=70 kind=BTC
30 records.sent value=30 kind=ETH
31 records.stored worker=2 records=100 value=0.1
32 records.stored worker=3 records=99 value=0.2
40 process.exited worker=1 name=signal
41 process.started worker=1 name=signal
42.5 process.healthy worker=1 name=signal
43 process.output worker=1 name=signal
50 process.exited worker=1 name=signal
52 process.started worker=1 name=signal
60 minute.total value=100
60 minute.strong value=20
60 minute.low_consistency value=90
60 export.made
61 reported.alert_fired name=low_consistency
62 sample.process_rss worker=0 value=1000
62 sample.process_rss worker=0 value=900
62 sample.process_cpu worker=0 value=0.25
120 minute.total value=0
120 minute.strong value=0
120 minute.low_consistency value=0
121 reported.alert_fired name=no_records
122 reported.alert_resolved name=low_consistency
123 records.missed worker=0 value=5
124 stream.reconnected worker=0
150 export.made
151 export.failed
170 records.stored worker=2 records=7 value=0.1
180 shutdown.started
181 process.exited worker=1 name=signal
182 process.exited worker=0 name=harvest
183 sample.backlog worker=1 value=3
184 sink.total worker=2 value=100
184 sink.confirm worker=2 value=10
184 sink.strong worker=2 value=20
184 sink.total worker=3 value=99
184 sink.confirm worker=3 value=10
184 sink.strong worker=3 value=18
185 reported.restarts worker=1 value=0
"""


def _events() -> Iterator[str]:
    for line in EVENTS.split("\n"):
        if line:
            t, type_, *rest = line.split()
            pairs = (each.split("=") for each in rest)
            values = {name: value if name in {"name", "kind"} else float(value) for name, value in pairs}
            whole = {name: int(value) if name in {"worker", "records"} else value for name, value in values.items()}
            yield json.dumps({"t": float(t), "type": type_, **whole})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    scenario, events, out = folder / "hand.yaml", folder / "events.jsonl", folder / "out"
    scenario.write_text(SCENARIO, encoding="utf-8")
    events.write_text("".join(f"{line}\n" for line in _events()), encoding="utf-8")
    run_command(["run", str(scenario), "--replay", str(events), "--out", str(out)])
    return out


def document(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text(encoding="utf-8"))


FILES = {
    "run_manifest.json": "run_manifest",
    "source_manifest.json": "source_manifest",
    "parity_diff.json": "parity_diff",
    "daily_report.jsonl.json": "daily_report",
    "daily_report.sqlite.json": "daily_report",
}


@pytest.mark.parametrize("name", FILES)
def test_each_is_as_its_schema_says_and_is_sealed(run: Path, name: str) -> None:
    schema = json.loads((DIRECTORY / f"{FILES[name]}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(document(run, name))] == []
    assert name in RunDirectory(run).read_checksums()


@pytest.mark.parametrize("name", sorted(set(FILES.values())))
def test_schemas_describe_every_key(name: str) -> None:
    schema = json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))

    def look(node: Any, where: str) -> None:
        if isinstance(node, dict):
            for key, value in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
                target = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
                assert value.get("description") or target.get("description"), f"{where}/{key}"
            for key, value in node.items():
                look(value, f"{where}/{key}")

    look(schema, name)


def test_processes_are_counted_from_outside(run: Path) -> None:
    harvest, signal = document(run, "run_manifest.json")["processes"]
    assert (harvest["restart_count"], harvest["restarts"], harvest["pids"]) == (0, [], [])
    assert (signal["restart_count"], signal["reported_restart_count"]) == (2, 0)
    first, second = signal["restarts"]
    assert (first["exited_s"], first["backoff_planned_s"], first["backoff_observed_s"]) == (40.0, 1.0, 1.0)
    assert (first["healthy_s"], first["output_s"], first["restart_time_s"]) == (42.5, 43.0, 3.0)
    assert (second["backoff_planned_s"], second["backoff_observed_s"]) == (2.0, 2.0)
    assert (second["healthy_s"], second["restart_time_s"]) == (None, None)


def test_the_manifest_has_shutdown_resources_exports_and_source(run: Path) -> None:
    manifest = document(run, "run_manifest.json")
    assert manifest["shutdown_order"] == {
        "started_s": 180.0,
        "planned": ["signal", "harvest"],
        "observed": ["signal", "harvest"],
        "left_in_queues": {"harvest": 0, "signal": 3},
    }
    used, never = manifest["resource_usage"]["harvest"], manifest["resource_usage"]["signal"]
    assert (used["rss_max_bytes"], used["rss_last_bytes"], used["cpu_mean"]) == (1000.0, 900.0, 0.25)
    assert (used["open_files_max"], never["samples"], never["rss_max_bytes"]) == (None, 0, None)
    assert manifest["system_export"] == {"every_s": 60.0, "export_count": 2, "error_count": 1, "longest_gap_s": 90.0}
    assert manifest["source_metrics"] == {
        "process": "harvest",
        "records_sent": 100,
        "records_dropped": 0,
        "records_missed": 5,
        "reconnects": 1,
        "stream_timeouts": 0,
    }


def test_alerts_have_their_times_on_both_clocks_and_their_figures(run: Path) -> None:
    low, silent = document(run, "run_manifest.json")["alerts"]
    assert (low["rule"], low["level"], silent["rule"], silent["level"]) == (
        "low_consistency",
        "warning",
        "no_records",
        "critical",
    )
    # 23:58 in Seoul and 61 seconds: 14:59:01 in UTC.
    assert low["fired"] == {"t_s": 61.0, "at": "2026-03-01T14:59:01.000Z", "local": "2026-03-01T23:59:01.000+09:00"}
    assert low["resolved"]["local"] == "2026-03-02T00:00:02.000+09:00"
    assert silent["resolved"] is None
    assert low["details"] == "minute 1: 100 records, 90% of them of low consistency (> 80%)"
    assert silent["details"] == "minute 2: 0 records (none for 60s)"
    for sink in ("jsonl", "sqlite"):
        assert document(run, f"daily_report.{sink}.json")["alerts"] == [low, silent]


def test_sinks_are_compared_figure_by_figure(run: Path) -> None:
    (stream,) = document(run, "parity_diff.json")["streams"]
    assert stream["stream"] == "signals"
    assert stream["sinks"]["sqlite"] == {"total": 99, "confirm": 10, "strong": 18, "strong_ratio": 0.181818182}
    differences = {each["figure"]: each["difference"] for each in stream["differences"]}
    assert differences == {"total": 0.01, "confirm": 0.0, "strong_ratio": pytest.approx(1 - 18 / 99 / 0.2, abs=1e-8)}


def test_the_source_is_described_by_the_scenario_where_no_target_does(run: Path) -> None:
    source = document(run, "source_manifest.json")
    assert [(each["name"], each["share"], each["records_sent"]) for each in source["symbols"]] == [
        ("BTC", 0.7, 70),
        ("ETH", 0.3, 30),
    ]
    assert source["session"]["first"]["local"] == "2026-03-01T23:58:30.000+09:00"
    assert (source["endpoint"], source["region"], source["configuration_of"]) == (None, None, "scenario")
    assert source["configuration"]["export_every_s"] == 60.0
    assert [each["name"] for each in source["configuration"]["sinks"]] == ["jsonl", "sqlite"]


def test_a_daily_report_has_minutes_and_local_dates(run: Path) -> None:
    first, second = (document(run, f"daily_report.{sink}.json") for sink in ("jsonl", "sqlite"))
    assert [(each["stored"], each["sent"], each["strong"]) for each in first["minutes"]] == [
        (100, 100, 20),
        (0, 0, 0),
        (7, None, None),
    ]
    # The run begins two minutes before midnight in Seoul.
    assert first["days"] == [{"date": "2026-03-01", "stored": 100}, {"date": "2026-03-02", "stored": 7}]
    assert first["gating_breakdown"] == {"confirmed": 10, "strong_not_confirmed": 10, "not_strong": 80}
    assert (second["stored"], second["minutes"][0]["sent"]) == (99, None)
    text = (run / "daily_report.jsonl.md").read_text(encoding="utf-8")
    assert "| 2026-03-02 | 7 |" in text
    assert (
        "| no_records | critical | 2026-03-02T00:00:01.000+09:00 (2026-03-01T15:00:01.000Z) | still firing at the end |"
        in text
    )


def test_they_are_recomputed_and_a_change_is_found(run: Path) -> None:
    findings, _ = verify(RunDirectory(run))
    assert {f"{name} recomputed" for name in FILES} <= {each.what for each in findings}
    assert [each for each in findings if each.problem] == []
    path = run / "parity_diff.json"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b'"total": 99', b'"total": 100'))
        problems = {each.what: each.problem for each in verify(RunDirectory(run))[0] if each.problem}
    finally:
        path.write_bytes(before)
    assert problems["parity_diff.json recomputed"] == ("streams[0].sinks.sqlite.total is 100, but the stream gives 99")


@pytest.mark.parametrize("size", [1, 2, 7])
def test_nothing_depends_on_where_blocks_end(run: Path, size: int) -> None:
    loaded = load(run / "scenario.yaml")
    plan = Plan(loaded.scenario)
    blocks = list(StreamReader(run / "soak_hand.jsonl", plan.vocabulary).blocks())
    beside = Beside(datetime(2026, 3, 1, tzinfo=UTC), 1.0, UTC, (), lambda name: None)
    made = []
    for step in (len(blocks[0]), size):
        account = PipelineAccount(loaded.scenario, plan.vocabulary)
        for block in blocks:
            for begin in range(0, len(block), step):
                part = block.take(slice(begin, begin + step))
                account.observe(block.take(slice(begin, begin + step), float(part.t[-1])))
        made.append((account.manifest(beside), account.documents(beside)))
    assert made[0] == made[1]


def test_process_ids_and_the_source_come_from_the_target(run: Path) -> None:
    system = run / "system"
    system.mkdir()
    try:
        header = "t_s,process,pid,rss_bytes,cpu_s,threads,open_files\n"
        rows = ["1,signal,11,1,0,1,1", "2,signal,11,1,0,1,1", "3,signal,12,1,0,1,1", "3,harvest,9,1,0,1,1"]
        (system / "processes.csv").write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        told = {"endpoint": "ws://127.0.0.1:9/", "region": "local", "configuration": {"speed": 1}}
        (system / "source.json").write_text(json.dumps(told), encoding="utf-8")
        from soak.runner.evidence.verify import recompute

        _, files = recompute(RunDirectory(run))
    finally:
        for path in system.iterdir():
            path.unlink()
        system.rmdir()
    assert [each["pids"] for each in json.loads(files["run_manifest.json"])["processes"]] == [[9], [11, 12]]
    source = json.loads(files["source_manifest.json"])
    assert (source["endpoint"], source["region"], source["configuration_of"]) == (
        "ws://127.0.0.1:9/",
        "local",
        "target",
    )
    assert source["configuration"] == {"speed": 1}


@pytest.mark.parametrize(
    ("t_s", "local"),
    [
        (0.0, "2026-03-01T09:00:00.500+09:00"),
        (10.0, "2026-03-01T09:00:05.500+09:00"),
        (40.0, "2026-03-01T09:02:00.500+09:00"),
    ],
)
def test_moments_of_a_run_that_was_resumed_are_exact(t_s: float, local: str) -> None:
    """Speed 2; the second part counts from 30 s of scenario time on, a hundred real seconds after it would have begun."""
    zero = datetime(2026, 3, 1, tzinfo=UTC).timestamp() + 0.5
    parts = [(zero, zero), (zero + 115.0, zero + 100.0)]
    beside = Beside(datetime(2026, 3, 1, tzinfo=UTC), 2.0, ZoneInfo("Asia/Seoul"), (), lambda name: None, parts)
    assert beside.moment(t_s).local == local
