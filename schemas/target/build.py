"""Checked plain data, with defaults filled in, to a typed target file."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from soak.schemas.target.choices import PROBES
from soak.schemas.target.model import (
    Action,
    FaultActions,
    Find,
    Kill,
    Killed,
    Ledger,
    LogLine,
    Metric,
    Probe,
    ProbeKind,
    Process,
    Program,
    Source,
    Stop,
    Supervisor,
    TargetFile,
    TimeFormat,
    WrittenFile,
)
from soak.schemas.units import duration

Data: TypeAlias = Mapping[str, Any]


def build_target(data: Data) -> TargetFile:
    """The target file of valid data."""
    source, supervisor = data.get("source"), data.get("supervisor")
    return TargetFile(
        name=data["name"],
        title=data["title"],
        system=data.get("system"),
        environment=data["environment"],
        ports=tuple(data["ports"]),
        files=tuple(WrittenFile(each["path"], each["text"], each["executable"]) for each in data["files"]),
        services=tuple(_program(each["name"], each) for each in data["services"]),
        supervisor=_supervisor(supervisor) if supervisor else None,
        processes=tuple(map(_process, data["processes"])),
        faults={name: _fault(each) for name, each in data["faults"].items()},
        conventions=data["conventions"],
        source=_source(source) if source else None,
        streams={name: _ledger(each) for name, each in data["streams"].items()},
        sinks={name: _ledger(each) for name, each in data["sinks"].items()},
        url=data["url"].rstrip("/") if "url" in data else None,
        ready=_probe(data.get("ready")),
        metrics={name: _metric(each) for name, each in data["metrics"].items()},
    )


def _seconds(data: Data, key: str) -> float | None:
    return duration(data[key]) if key in data else None


def _program(name: str, data: Data) -> Program:
    return Program(
        name=name,
        command=data["command"],
        directory=data["directory"],
        environment=data["environment"],
        after=tuple(data["after"]),
        ready=_probe(data.get("ready")),
        stop=_stop(data["stop"]),
        outage=data.get("outage"),
        kill=_kill(data.get("kill", {}), Killed.TREE),
    )


def _probe(data: Data | None) -> Probe | None:
    if data is None:
        return None
    kind = next(each for each in PROBES if each in data)
    return Probe(
        kind=ProbeKind(kind),
        what="" if kind == "notify" else str(data[kind]),
        timeout_s=duration(data["timeout"]),
        status=tuple(data.get("status", ())),
        contains=data.get("contains"),
        fresh_s=_seconds(data, "fresh"),
        within_s=_seconds(data, "within"),
    )


def _stop(data: Data) -> Stop:
    return Stop(data["signal"], data.get("exec"), _seconds(data, "grace"))


def _kill(data: Data, of: Killed = Killed.PROCESS) -> Kill:
    return Kill(Killed(data.get("of", of)), data.get("exec"))


def _supervisor(data: Data) -> Supervisor:
    gives_up = data.get("gives_up")
    return Supervisor(
        _program("supervisor", data),
        {what: each["jsonl"] for what, each in data["says"].items()},
        LogLine(gives_up["log"], gives_up["pattern"]) if gives_up else None,
    )


def _process(data: Data) -> Process:
    find = data.get("find")
    return Process(
        name=data["name"],
        program=_program(data["name"], data) if "command" in data else None,
        find=_find(find) if find else None,
        ready=_probe(data.get("ready")),
        live=_probe(data.get("live", data.get("ready"))),
        stop=_stop(data["stop"]),
        kill=_kill(data["kill"]),
        port=str(data["port"]) if "port" in data else None,
        metrics={name: _metric(each) for name, each in data["metrics"].items()},
        log=data.get("log"),
    )


def _find(data: Data) -> Find:
    port = str(data["port"]) if "port" in data else None
    return Find(data.get("pid_file"), data.get("command_line"), port)


def _metric(data: Data) -> Metric:
    return Metric(
        prometheus=data.get("prometheus"),
        name=data.get("name", ""),
        labels=data["labels"],
        json=data.get("json"),
        at=data.get("at", ""),
        log=data.get("log"),
        pattern=data.get("pattern", ""),
        total=data["sum"],
        timeout_s=duration(data["timeout"]),
    )


def _action(data: Data | None) -> Action | None:
    if data is None:
        return None
    return Action(data.get("http"), data["method"], data.get("body", ""), data.get("exec"), duration(data["timeout"]))


def _fault(data: Data) -> FaultActions:
    return FaultActions(_action(data.get("begin")), _action(data.get("end")), data.get("sqlite"))


def _source(data: Data) -> Source:
    return Source(_program("source", data), _action(data.get("go")), _action(data.get("disconnect")))


def _ledger(data: Data) -> Ledger:
    return Ledger(
        jsonl=data.get("jsonl"),
        sqlite=data.get("sqlite"),
        query=data.get("query", ""),
        key=data["key"],
        first=data.get("first"),
        last=data.get("last"),
        at=data.get("at"),
        sent=data.get("sent"),
        kind=data.get("kind"),
        strong=data.get("strong"),
        confirm=data.get("confirm"),
        low_consistency=data.get("low_consistency"),
        time=TimeFormat(data["time"]),
    )
