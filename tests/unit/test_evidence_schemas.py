"""The schemas of the evidence: real runs keep to them, the code names the same fields, and what is wrong is refused."""

import copy
import json
import re
import subprocess
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from soak.schemas.evidence.manifest import SCHEMA_VERSION as MANIFEST_VERSION
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.upgrades import ADDED
from soak.schemas.evidence.verdict import SCHEMA_VERSION, Alerts, Checkpoints, Outcome, Verdict
from soak.schemas.files import DIRECTORY
from soak.schemas.language.conditions import Severity
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.registry import language_of, languages
from soak.schemas.stream.events import CENSUS, SPECS, TYPES, Kind, Value
from soak.schemas.stream.identity import STREAM_VERSION, Identity
from soak.schemas.stream.states import ACCEPTED, TaskState

HEADER = "stream.header"
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "verdict": Verdict,
    "run_manifest": Manifest,
    "alerts": Alerts,
    "checkpoints": Checkpoints,
}
SCHEMAS = {
    name: json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8")) for name in (*STRUCTS, "event")
}
EVENTS = SCHEMAS["event"]["$defs"]

LOAD = """
version: 1
name: {name}
system: queue
duration: 20m
drain: 20m
seed: 5
workload:
  arrivals: {{rate: 10/min}}
  task: {{duration: {{distribution: exponential, mean: 3s}}}}
  {tenants}
checkpoints: {{every: 5m}}
"""
PASSES = """
slos:
  - success_rate >= 90%
  - latency_p95 <= 1h
  - {objective: "success_rate{tenant=*} >= 50%", confidence: 95%, min_samples: 10}
  - latency_p95{phase=late} <= 9x phase=early
faults:
  - {name: flaky, type: transient_error, rate: 10%, errors: [timeout, rate_limit]}
phases:
  - {name: early, at: 0s, for: 10m}
  - {name: late, at: 10m, for: 10m}
slis:
  retries: {count: "task.retry{fault=flaky}"}
"""
ABORTS = """
faults: [{name: broken, type: permanent_error, rate: 60%}]
abort: [{name: collapse, when: success_rate < 90%, window: 5m, min_samples: 10}]
"""
ALERTS = """
faults: [{name: down, type: db_outage, at: 5m, for: 2m}]
alerts:
  - {name: backlog, when: oldest_pending > 10s, severity: critical, expect: {of: down, fires_within: 5m}}
  - {name: deep, when: queue_depth > 1000, window: 5m, expect: {fires_within: 1m}}
  - {name: busy, when: throughput > 0/s, window: 5m, keep_firing_for: 1h}
"""
FAULTS = """
queue: {dispatchers: 3, claim_time: 200ms, lease: {duration: 30s, heartbeat: 10s}, retry: {backoff: [5s]}}
faults:
  - {name: transient, type: transient_error, rate: 8%, errors: [timeout, network]}
  - {name: permanent, type: permanent_error, rate: 8%}
  - {name: lock, type: db_lock, rate: 8%}
  - {name: twice, type: duplicate_enqueue, rate: 8%}
  - {name: budget, type: guardrail_exceed, rate: 8%}
  - {name: crash, type: worker_crash, rate: 8%}
  - {name: hang, type: worker_hang, rate: 8%, hang_for: 2m}
  - {name: outage, type: db_outage, at: 5m, for: 1m}
  - {name: full, type: disk_full, at: 7m, for: 30s}
  - {name: no-dispatcher, type: dispatcher_crash, at: 8m, for: 1m}
  - {name: no-watchdog, type: watchdog_crash, at: 9m, for: 1m}
  - {name: slow, type: slow_task, rate: 8%, factor: 3}
  - {name: slow-worker, type: slow_worker, at: 14m, for: 2m, factor: 2}
  - {name: restart, type: worker_restart, at: 16m}
  - {name: deploy, type: rolling_restart, at: 17m, each: 10s}
  - {name: killed, type: worker_kill, at: 18m, workers: 2}
  - {name: told, type: worker_term, at: 18m10s}
  - {name: broker, type: service_kill, service: broker, at: 2m, every: 20s, for: 10s, times: 2}
  - {name: again, type: service_restart, service: broker, at: 3m}
  - {name: frozen, type: service_hang, service: broker, at: 3m10s, for: 20s}
  - {name: failover, type: database_failover, at: 3m40s, for: 10s}
  - {name: closed, type: connections_kill, service: broker, at: 4m}
  - {name: cut, type: network_cut, proxy: broker, at: 4m10s, for: 20s}
  - {name: late, type: network_delay, proxy: broker, at: 10m, for: 1m, by: 1s}
  - {name: ahead, type: clock_jump, at: 11m, by: 1h}
  - {name: blind, type: telemetry_loss, at: 12m, for: 1m}
"""
CALLS = """
version: 1
name: calls
system: calls
duration: 5m
drain: 5m
repeat: 2
workload:
  arrivals: {rate: 4/s}
  task: {memory: [{size: 10MB, tasks: 6, hold: true}, {size: 30MB, tasks: 60}, {size: 1MB, tasks: 100000}]}
calls:
  dependencies:
    - name: primary
      latency: {distribution: exponential, mean: 100ms}
      memory: 100MB
      store: {records: 2}
      health_check: {}
      rollback: {}
    - {name: secondary, latency: {distribution: constant, value: 50ms}}
  policy:
    - degrade: {}
    - timeout: 1s
    - circuit_breaker: {failures: 4, open_for: 1s}
    - retry: {max_attempts: 2}
    - fallback: {to: secondary}
faults:
  - {name: refused, type: connection_error, rate: 2%}
  - {name: reset, type: connection_reset, rate: 2%}
  - {name: slow, type: timeout, rate: 2%}
  - {name: error, type: server_error, rate: 2%}
  - {name: throttled, type: rate_limited, rate: 2%, retry_after: 500ms}
  - {name: full, type: queue_full, rate: 2%}
  - {name: no-worker, type: worker_down, rate: 2%}
  - {name: no-connection, type: pool_exhausted, rate: 2%}
  - {name: denied, type: permission_denied, rate: 2%}
  - {name: no-space, type: disk_full, rate: 2%}
  - {name: later, type: delay, rate: 5%, delay: {distribution: constant, value: 200ms}}
  - {name: crash, type: dependency_crash, at: 1m, for: 30s}
  - {name: release, type: bad_release, at: 2m, for: 1m, rate: 80%}
"""
DELIVERY = """
queue:
  lease: {duration: 5s, heartbeat: none}
  retry: {max_attempts: 3, backoff: {initial: 1s}, jitter: full}
  max_deliveries: 2
  watchdog_interval: 1s
slos: [dead_lettered >= 1, duplicate_executions >= 1, backoff_violations == 0]
"""
EARLY = """
queue: {ack: early}
faults: [{name: crash, type: worker_crash, rate: 10%}]
slos: [lost_tasks >= 1]
"""
PIPELINE = """
version: 1
name: pipeline
system: pipeline
duration: 6m
drain: 1m
workload: {arrivals: {rate: 20/s}, kinds: [{name: BTC, share: 70%}, {name: ETH, share: 30%}]}
pipeline:
  source: {resume: false}
  processes:
    - {name: harvest, reads: source, writes: raw, buffer: 5, overflow: drop_newest}
    - {name: signal, reads: raw, writes: signals, guarantee: at_least_once, checkpoint: 7s}
    - {name: broker, reads: signals, writes: orders, guarantee: at_least_once, passes: confirmed}
    - {name: copy, reads: raw, writes: copies, guarantee: at_most_once, service: {distribution: constant, value: 20ms}}
    - {name: report, reads: signals}
  sinks:
    - {name: jsonl, of: signals}
    - {name: sqlite, of: signals, batch: {}}
    - {name: other, of: copies, batch: {rows: 90, every: 5s}}
  supervisor: {restart: {max_restarts: 1}}
  alerts: {no_records: {for: 1m}}
  stream_timeout: 20s
faults:
  - {name: kill, type: process_kill, process: signal, at: 1m5s}
  - {name: lose, type: process_kill, process: copy, at: 1m5s}
  - {name: hang, type: process_hang, process: harvest, at: 30s, for: 11s}
  - {name: silence, type: source_silence, at: 2m, for: 1m}
  - {name: gap, type: source_disconnect, at: 4m, for: 2s}
  - {name: gone, type: process_kill, process: report, at: 70s, every: 20s}
  - {name: outage, type: export_outage, at: 50s, for: 1m}
"""
GATEWAY = """
version: 1
name: gateway
system: gateway
duration: 2m
workload:
  users: {think: {distribution: exponential, mean: 1s}}
  tenants: [{name: A}, {name: B}]
  kinds: [{name: reads, share: 50%}, {name: writes, share: 50%}]
phases: [{name: before, for: 1m, users: {A: 2, B: 2}}, {name: after, for: 1m, users: {A: 20}}]
gateway: {workers: 2, outbox: {kinds: [writes], drain_rate: 10/s}}
slos: [success_rate >= 99%]
telemetry: {sample_interval: 10s}
"""

SCENARIOS = {
    "passes": PASSES,
    "aborts": ABORTS,
    "alerts": ALERTS,
    "faults": FAULTS,
    "calls": CALLS,
    "delivery": DELIVERY,
    "early": EARLY,
    "pipeline": PIPELINE,
    "gateway": GATEWAY,
}
EXIT_CODES = {
    "gateway": {Outcome.PASS.exit_code},
    "delivery": {Outcome.PASS.exit_code},
    "early": {Outcome.PASS.exit_code},
    "pipeline": {Outcome.FAIL.exit_code, Outcome.INCONCLUSIVE.exit_code},
    "calls": {Outcome.INCONCLUSIVE.exit_code},
    "passes": {Outcome.PASS.exit_code},
    "aborts": {Outcome.ABORTED.exit_code},
    "alerts": {Outcome.FAIL.exit_code},
    "faults": {Outcome.FAIL.exit_code, Outcome.INCONCLUSIVE.exit_code},
}

Runs = dict[str, Path]
Schema = dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run directory for each of SCENARIOS, made at the same time by the command line."""
    directory = tmp_path_factory.mktemp("runs")
    running = {name: _start(name, directory) for name in SCENARIOS}
    for name, process in running.items():
        output, _ = process.communicate(timeout=300)
        assert process.returncode in EXIT_CODES[name], output
    return {name: directory / name for name in SCENARIOS}


def _start(name: str, directory: Path) -> "subprocess.Popen[str]":
    scenario = directory / f"{name}.yaml"
    tenants = "tenants: [{name: A, share: 60%}, {name: B, share: 40%}]"
    load = LOAD.format(name=name, tenants=tenants if name in {"passes", "faults"} else "tenants: []")
    scenario.write_text(("" if name in {"calls", "pipeline", "gateway"} else load) + SCENARIOS[name], encoding="utf-8")
    command = [sys.executable, "-c", "from soak.runner.cli import main; main()"]
    arguments = ["run", str(scenario), "--out", str(directory / name)]
    return subprocess.Popen(
        [*command, *arguments], cwd=DIRECTORY.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def document(runs: Runs, run: str, name: str) -> Any:
    """The content of a JSON file of a run."""
    return json.loads((runs[run] / f"{name}.json").read_text(encoding="utf-8"))


def lines(runs: Runs, run: str) -> list[str]:
    """The lines of a run's event stream."""
    return (runs[run] / f"soak_{run}.jsonl").read_text(encoding="utf-8").splitlines()


def wrong(name: str, instance: object) -> str:
    """What the schema `name` has against `instance`, most telling first; empty when it is valid."""
    error = best_match(Draft202012Validator(SCHEMAS[name]).iter_errors(instance))
    return f"{error.json_path}: {error.message}" if error else ""


def broken(name: str, instance: object) -> set[str]:
    """Where `instance` breaks which keyword of the schema `name`: `enum of verdict`, `required of aborts.0`."""
    errors = Draft202012Validator(SCHEMAS[name]).iter_errors(instance)
    return {f"{error.validator} of {'.'.join(map(str, error.absolute_path))}".removesuffix(" of ") for error in errors}


def resolve(schema: Schema, root: Schema) -> Schema:
    """`schema` with its `$ref` followed; its own keywords win."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


# Real runs keep to the schemas.


@pytest.mark.parametrize("name", STRUCTS)
@pytest.mark.parametrize("run", SCENARIOS)
def test_files_of_a_run_are_valid(runs: Runs, run: str, name: str) -> None:
    assert wrong(name, document(runs, run, name)) == ""


def test_runs_show_what_they_are_meant_to(runs: Runs) -> None:
    assert document(runs, "passes", "verdict")["verdict"] == "PASS"
    assert document(runs, "aborts", "verdict")["verdict"] == "ABORTED"
    statuses = {alert["name"]: alert["status"] for alert in document(runs, "alerts", "alerts")["alerts"]}
    assert statuses == {"backlog": "PASS", "deep": "FAIL", "busy": None}
    for run, system in (("faults", "queue"), ("calls", "calls")):
        faults = document(runs, run, "verdict")["faults"]
        assert all(fault["seen"] for fault in faults)
        assert {fault["type"] for fault in faults} | {"telemetry_loss"} == set(language_of(system).faults)


@pytest.mark.parametrize("run", SCENARIOS)
def test_every_line_of_a_stream_is_valid(runs: Runs, run: str) -> None:
    validators = {kind: Draft202012Validator({**SCHEMAS["event"], "oneOf": [_reference(kind)]}) for kind in TYPES}
    first, *rest = lines(runs, run)
    assert json.loads(first)["type"] == HEADER
    assert wrong("event", json.loads(first)) == ""
    seen = set()
    for number, line in enumerate(rest, start=2):
        event = json.loads(line)
        # The type decides which branch applies (see the test below), so trying that one is enough.
        error = best_match(validators[event["type"]].iter_errors(event))
        assert error is None, f"line {number}: {line}: {error.message}"
        if event["type"] not in seen:
            assert wrong("event", event) == ""
            seen.add(event["type"])


def test_runs_of_every_fault_type_write_nearly_every_event_type(runs: Runs) -> None:
    written = {json.loads(line)["type"] for run in SCENARIOS for line in lines(runs, run)[1:]}
    real_systems_only = {
        "run.paused",
        "run.resumed",
        "run.marked",
        "run.stop_requested",
        "sample.rss",
        "sample.open_files",
        "sample.db_size",
        "sample.cpu",
        "sample.threads",
    }
    real_systems_only |= {"sample.runner_rss", "sample.runner_open_files", "process.orphaned", "records.phantom"}
    real_systems_only |= {"sample.process_rss", "sample.process_open_files", "sample.process_cpu"}
    real_systems_only |= {"reported.process_rss", "log.lost", "sample.log_size", "sample.source_lag", "ledger.unread"}
    real_systems_only |= {"reported.reconnects", "reported.stream_timeouts", "reported.exports", "probe.disputed"}
    real_systems_only |= {"load.worker_joined", "load.worker_lost", "sample.load_cpu", "sample.load_lag"}
    # Only of sinks behind a process that does not pass everything on.
    real_systems_only |= {"sink.expected"}
    real_systems_only |= {"check.value", "check.negative", "check.done", "check.failed", "checks.began"}
    real_systems_only |= {"teardown.done", "teardown.failed", "sample.broker_rss", "sample.clock"}
    assert set(TYPES) - written <= {"run.interrupted", "run.decided", "task.cancelled", *real_systems_only}


# The code names the same fields.


@pytest.mark.parametrize("name", STRUCTS)
def test_schema_and_struct_name_the_same_fields(name: str) -> None:
    assert list(_differences(STRUCTS[name], SCHEMAS[name], SCHEMAS[name], name)) == []


def _differences(struct: type, schema: Schema, root: Schema, where: str) -> Iterator[str]:
    hints = typing.get_type_hints(struct)
    properties = schema["properties"]
    if set(hints) != set(properties):
        yield f"{where}: {set(hints) ^ set(properties)} in one of them only"
    # What was added without a new version is not required: evidence of before is valid without it.
    optional = {field for field, hint in hints.items() if msgspec.UnsetType in typing.get_args(hint)}
    optional |= ADDED.get(struct, frozenset())
    if set(schema["required"]) != set(properties) - optional:
        yield f"{where}: {set(schema['required']) ^ (set(properties) - optional)} is optional in one of them only"
    for field in set(hints) & set(properties):
        yield from _field_differences(hints[field], resolve(properties[field], root), root, f"{where}.{field}")


def _field_differences(hint: Any, schema: Schema, root: Schema, where: str) -> Iterator[str]:
    union = isinstance(hint, types.UnionType)
    inner = [each for each in typing.get_args(hint) if each is not types.NoneType] if union else [hint]
    if msgspec.UnsetType in inner:
        union, inner = len(inner) > 2, [each for each in inner if each is not msgspec.UnsetType]
    if (None in schema["enum"] if "enum" in schema else "null" in schema.get("type", [])) is not union:
        yield f"{where}: null is allowed in one of them only"
    for each in inner:
        if typing.get_origin(each) is list:
            yield from _field_differences(typing.get_args(each)[0], resolve(schema["items"], root), root, where + "[]")
        elif isinstance(each, type) and issubclass(each, StrEnum) and set(schema["enum"]) - {None} != set(each):
            yield f"{where}: {schema['enum']} is not {list(each)}"
        elif isinstance(each, type) and issubclass(each, msgspec.Struct):
            yield from _differences(each, schema, root, where)


def test_a_field_that_is_only_in_one_of_them_is_found() -> None:
    schema = copy.deepcopy(SCHEMAS["verdict"])
    del schema["$defs"]["firing"]["properties"]["value"]
    schema["$defs"]["status"]["enum"].append("SKIPPED")
    found = " ".join(_differences(Verdict, schema, schema, "verdict"))
    assert "verdict.alerts[].firings[]: {'value'}" in found
    assert "verdict.laws[].status: ['PASS', 'FAIL', 'INCONCLUSIVE', 'NOT_APPLICABLE', 'SKIPPED']" in found


def test_words_of_the_schemas_are_words_of_the_code() -> None:
    verdict, manifest = SCHEMAS["verdict"], SCHEMAS["run_manifest"]
    assert set(verdict["$defs"]["unit"]["enum"]) == set(Unit)
    assert set(verdict["$defs"]["objective"]["properties"]["op"]["enum"]) == set(Op)
    assert set(verdict["$defs"]["alert"]["properties"]["severity"]["enum"]) == set(Severity)
    types = {type_ for language in languages()[0] for type_ in language.faults}
    assert all(re.fullmatch(verdict["$defs"]["fault"]["properties"]["type"]["pattern"], type_) for type_ in types)
    assert set(manifest["properties"]["verdict"]["enum"]) == {*Outcome, None}
    assert set(verdict["properties"]["tasks"]["properties"]) == {"accepted", *(state.name for state in ACCEPTED)}
    states = SCHEMAS["checkpoints"]["$defs"]["checkpoint"]["properties"]["states"]["properties"]
    assert set(states) == {state.name for state in TaskState if state is not TaskState.NONE}
    assert set(EVENTS["state"]["enum"]) == {state.name for state in CENSUS}


def test_versions_are_those_of_the_code() -> None:
    versions = {
        name: schema["properties"]["schema_version"]["const"] for name, schema in SCHEMAS.items() if name in STRUCTS
    }
    assert versions.pop("run_manifest") == MANIFEST_VERSION
    assert set(versions.values()) == {SCHEMA_VERSION}
    assert EVENTS[HEADER]["properties"]["schema_version"]["const"] == STREAM_VERSION


def test_definitions_that_stand_in_two_schemas_are_the_same() -> None:
    definitions = defaultdict(list)
    for name in STRUCTS:
        for key, definition in SCHEMAS[name]["$defs"].items():
            definitions[key].append(definition)
    assert [key for key, found in definitions.items() if any(each != found[0] for each in found)] == []


def test_schema_and_vocabulary_name_the_same_event_types() -> None:
    assert SCHEMAS["event"]["oneOf"] == [_reference(kind) for kind in (HEADER, *TYPES)]
    for kind in (HEADER, *TYPES):
        assert EVENTS[kind]["properties"]["type"]["const"] == kind


def _reference(kind: str) -> Schema:
    return {"$ref": f"#/$defs/{kind}"}


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.name)
def test_schema_and_vocabulary_name_the_same_fields_of_an_event(kind: Kind) -> None:
    spec = SPECS[kind]
    always = {"t", "type", *(column for column in ("task", "key", "attempt", "records") if spec.uses(column))}
    always |= {name for name in (spec.value_name, "state" if spec.state else "") if name}
    sometimes = {"worker"} if spec.uses("worker") else set[str]()
    sometimes |= {"tenant", "kind"} if spec.uses("label") else set()
    sometimes |= {"fault", "error"} if spec.uses("cause") else set()
    sometimes |= {"by"} if spec.uses("by") else set()
    assert set(EVENTS[spec.type]["properties"]) == always | sometimes
    # A fault by time hits no task.
    expected = always - {"task", "attempt"} if kind is Kind.FAULT_INJECTED else always
    assert set(EVENTS[spec.type]["required"]) == expected
    if spec.value is not Value.NONE:
        types_ = {Value.NAME: {"string"}, Value.SECONDS: {"number"}, Value.NUMBER: {"number", "integer"}}
        assert resolve(EVENTS[spec.type]["properties"][spec.value_name], SCHEMAS["event"])["type"] in types_[spec.value]


def test_schema_and_header_name_the_same_fields() -> None:
    assert set(EVENTS[HEADER]["properties"]) == {"type", "schema_version", *Identity.__struct_fields__}
    assert set(EVENTS[HEADER]["required"]) == set(EVENTS[HEADER]["properties"]) - {
        "patience_s",
        "redelivery_s",
        "stop",
        "target_sha256",
        "level",
        "promises",
        "left_out",
        "roles",
        "options",
    }


# The schemas are well made.


def objects(schema: Any, where: str = "") -> Iterator[tuple[str, Schema]]:
    """Every mapping of a schema that declares properties of its own, conditions left out."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield where, schema
        for key, value in schema.items():
            if key not in {"allOf", "required", "enum", "const", "examples"}:
                yield from objects(value, f"{where}/{key}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_closed_and_describes_every_key(name: str) -> None:
    root = SCHEMAS[name]
    Draft202012Validator.check_schema(root)
    assert root["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert root["title"]
    assert root["description"]
    for where, schema in objects(root):
        assert schema["additionalProperties"] is False, where
        assert schema["description"], where
        for key, value in schema["properties"].items():
            assert resolve(value, root).get("description"), f"{where}/{key}"


# What is wrong is refused.

Edit = Callable[[Any], object]


def put(*where: str | int, value: object) -> Edit:
    """A change that sets the value at `where`."""

    def change(data: Any) -> None:
        for step in where[:-1]:
            data = data[step]
        data[where[-1]] = value

    return change


def drop(*where: str | int) -> Edit:
    """A change that removes the key at `where`."""

    def change(data: Any) -> None:
        for step in where[:-1]:
            data = data[step]
        del data[where[-1]]

    return change


REFUSED = [
    ("verdict", "passes", put("verdict", value="OK"), "enum of verdict"),
    ("verdict", "passes", put("schema_version", value=2), "const of schema_version"),
    ("verdict", "passes", put("scenario_sha256", value="abc"), "pattern of scenario_sha256"),
    ("verdict", "passes", put("seed", value=-1), "minimum of seed"),
    ("verdict", "passes", put("note", value=""), "additionalProperties"),
    ("verdict", "passes", drop("laws"), "required"),
    ("verdict", "passes", put("slis", "success_rate", value="97%"), "type of slis.success_rate"),
    ("verdict", "passes", put("tasks", "SKIPPED", value=1), "additionalProperties of tasks"),
    ("verdict", "passes", put("retries_by_attempt", "0", value=1), "pattern of retries_by_attempt"),
    ("verdict", "passes", put("objectives", 0, "op", value="=>"), "enum of objectives.0.op"),
    ("verdict", "passes", put("objectives", 0, "interval", value=[0.9]), "minItems of objectives.0.interval"),
    ("verdict", "passes", put("objectives", 0, "status", value="FAIL"), "enum of objectives.0.status"),
    ("verdict", "passes", put("objectives", value=[]), "minItems of objectives"),
    ("verdict", "passes", put("reasons", value=["broken"]), "maxItems of reasons"),
    ("verdict", "passes", put("end", value="interrupted"), "enum of end"),
    ("verdict", "aborts", put("end", value="completed"), "const of end"),
    ("verdict", "aborts", put("reasons", value=[]), "minItems of reasons"),
    ("verdict", "aborts", put("faults", 0, "type", value="Gremlins!"), "pattern of faults.0.type"),
    ("verdict", "aborts", drop("aborts", 0, "held_at_s"), "required of aborts.0"),
    ("alerts", "alerts", put("alerts", 0, "severity", value="fatal"), "enum of alerts.0.severity"),
    ("alerts", "alerts", put("alerts", 0, "firings", 0, "fired_s", value=None), "type of alerts.0.firings.0.fired_s"),
    ("alerts", "alerts", put("alerts", 0, "window_s", value=0), "exclusiveMinimum of alerts.0.window_s"),
    ("checkpoints", "passes", put("every_s", value=0), "exclusiveMinimum of every_s"),
    ("checkpoints", "passes", put("checkpoints", 0, "states", "DONE", value=1.5), "type of checkpoints.0.states.DONE"),
    ("checkpoints", "passes", put("checkpoints", 0, "firing", value=["a", "a"]), "uniqueItems of checkpoints.0.firing"),
    ("run_manifest", "passes", put("scenario_file", value="some/where.yaml"), "pattern of scenario_file"),
    ("run_manifest", "passes", put("started_at", value="yesterday"), "pattern of started_at"),
    ("run_manifest", "passes", put("started_at", value=None), "type of started_at"),
    ("run_manifest", "passes", put("settings", value=["queue.workers"]), "pattern of settings.0"),
    ("run_manifest", "passes", put("git", value={"sha": "1234", "dirty": False}), "pattern of git.sha"),
    ("run_manifest", "passes", put("verdict", value=None), "type of verdict"),
    ("run_manifest", "passes", put("finished_at", value=None), "type of verdict"),
]


@pytest.mark.parametrize(("name", "run", "change", "what"), REFUSED)
def test_a_wrong_file_is_refused(runs: Runs, name: str, run: str, change: Edit, what: str) -> None:
    instance = document(runs, run, name)
    change(instance)
    assert what in broken(name, instance)


def test_the_manifest_of_a_run_that_goes_on_is_valid(runs: Runs) -> None:
    manifest = document(runs, "passes", "run_manifest")
    for key in ("finished_at", "wall_s", "verdict", "events"):
        manifest[key] = None
    assert wrong("run_manifest", manifest) == ""


DONE = {"t": 1.5, "type": "task.done", "task": "7", "attempt": 1, "worker": 0}


def test_an_event_is_valid() -> None:
    assert wrong("event", DONE) == ""


@pytest.mark.parametrize(
    "event",
    [
        {key: value for key, value in DONE.items() if key != "t"},
        {key: value for key, value in DONE.items() if key != "type"},
        {key: value for key, value in DONE.items() if key != "task"},
        {**DONE, "type": "task.finished"},
        {**DONE, "t": -1},
        {**DONE, "task": 7},
        {**DONE, "task": "-1"},
        {**DONE, "attempt": 0},
        {**DONE, "value": 3},
        {**DONE, "fault": "flaky"},
        {"t": 1, "type": "task.retry", "task": "7", "attempt": 1, "fault": "", "due": 2},
        {"t": 1, "type": "fault.injected", "attempt": 1},
        {"t": 1, "type": "sample.state", "value": 3, "state": "SKIPPED"},
        {"t": 1, "type": "sample.queue_depth", "value": 0.5},
        {"type": HEADER},
        {},
        [],
    ],
)
def test_a_wrong_event_is_refused(event: object) -> None:
    assert wrong("event", event)
