"""Checked plain data, with defaults filled in, to a typed target file."""

from collections.abc import Mapping, Sequence, Set
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
    Needs,
    Option,
    Probe,
    ProbeKind,
    Process,
    Program,
    Promise,
    Promises,
    Proxy,
    Source,
    Spoken,
    Stop,
    Supervisor,
    TargetFile,
    TimeFormat,
    Workers,
    WrittenFile,
)
from soak.schemas.target.options import text_of
from soak.schemas.target.own_ports import ports_of, with_own_port
from soak.schemas.units import duration

Data: TypeAlias = Mapping[str, Any]


def build_target(data: Data, options: Mapping[str, str] | None = None) -> TargetFile:
    """The target file of valid data. options: the values of its options, by which services are left out."""
    source, supervisor = data.get("source"), data.get("supervisor")
    services = [each for each in data["services"] if is_there(each, options or {})]
    left_out = {each["name"] for each in data["services"]} - {each["name"] for each in services}
    data = without(data, left_out)
    return TargetFile(
        name=data["name"],
        title=data["title"],
        system=data.get("system"),
        environment=data["environment"],
        ports=ports_of({**data, "services": services}),
        files=tuple(WrittenFile(each["path"], each["text"], each["executable"]) for each in data["files"]),
        services=tuple(_program(each["name"], with_own_port(each)) for each in data["services"]),
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
        workers=_workers(data["workers"]) if "workers" in data else None,
        submit=_spoken(data["submit"]) if "submit" in data else None,
        census=_census(data.get("census")),
        account=data["account"],
        promises=_promises(data["promises"]) if "promises" in data else None,
        options={name: _option(name, each) for name, each in data["options"].items()},
        proxies=tuple(Proxy(name, str(to)) for name, to in data["proxies"].items()),
        faketime=_faketime(data["clock"]["faketime"]) if "clock" in data else None,
        tcp=data["tcp"],
        needs=_needs(data["needs"]) if "needs" in data else None,
    )


def is_there(service: Data, options: Mapping[str, str]) -> bool:
    """Whether the options have the values that a service is there for."""
    return all(options.get(name) == text_of(value) for name, value in service.get("when", {}).items())


def without(data: Data, left_out: Set[str]) -> Data:
    """A target file without some of its services; nothing waits for them."""

    def waiting(entry: Data) -> Data:
        return {**entry, "after": [each for each in entry.get("after", ()) if each not in left_out]}

    services = [waiting(each) for each in data["services"] if each["name"] not in left_out]
    others = {key: waiting(data[key]) for key in ("workers", "source", "supervisor") if key in data}
    return {**data, **others, "services": services, "processes": [*map(waiting, data["processes"])]}


def _faketime(factor: float) -> float | None:
    return None if factor == 1 else float(factor)


def _workers(data: Data) -> Workers:
    kill = _kill(data.get("kill", {}), Killed.TREE)
    return Workers(_program("workers", data), data.get("count"), data["concurrency"], data["restarts"], kill)


def _spoken(data: Data) -> Spoken:
    at_a_time = data.get("at_a_time", 4)
    return Spoken(data.get("command"), data.get("process"), data["directory"], duration(data["timeout"]), at_a_time)


def _census(data: Any) -> Spoken | bool | None:
    return True if data is True else _spoken(data) if data else None


def _promises(data: Sequence[str | Mapping[str, str]]) -> Promises:
    words = frozenset(Promise(each) if isinstance(each, str) else Promise.REDELIVERY for each in data)
    times = [duration(each["redelivery"]) for each in data if not isinstance(each, str)]
    return Promises(words, times[0] if times else None)


def _option(name: str, data: Data) -> Option:
    default = text_of(data["default"]) if "default" in data else None
    return Option(name, default, data["description"], tuple(map(text_of, data.get("choices", ()))))


def _needs(data: Data) -> Needs:
    return Needs(tuple(data["modules"]), data["python"], data.get("env"))


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
        role=data.get("role"),
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
