"""From checked data, defaults filled in, to the typed scenario."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from soak.schemas import units
from soak.schemas.errors import quoted, shortened
from soak.schemas.files import Folders
from soak.schemas.language.build_conditions import build_demands
from soak.schemas.language.clock import Clock, parse_start
from soak.schemas.language.comparison import Context
from soak.schemas.language.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
    Uniform,
)
from soak.schemas.language.faults import Fault
from soak.schemas.language.kinds import build_kinds, label_values, mixture, part_values
from soak.schemas.language.model import Burst, Exactly, Phase, Process, Scenario, Telemetry, Tenant, Workload
from soak.schemas.language.own_slis import named_slis, scenario_slis
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import Language
from soak.schemas.language.shapes import base_rate, batch_of, scheduled_of, shape_of, total
from soak.schemas.language.trace_build import with_trace
from soak.schemas.language.users import Group, build_users, groups_of, most_per_s
from soak.schemas.language.windows import Recurrence, Window

if TYPE_CHECKING:
    from soak.schemas.language.outlets import Export, Notify

Mapping_ = Mapping[str, Any]

DEFAULT_DELAY = Uniform(0.0, 60.0)
DEFAULT_RETRY_AFTER_S = 1.0

_VALUE = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def build_scenario(data: Mapping_, folders: Folders) -> Scenario:
    """The typed scenario of checked `data`; files it names are looked up in `folders`."""
    duration_s, language = units.duration(data["duration"]), language_of(data["system"])
    settings = language.build(data, folders)
    slis, phases = scenario_slis(data), tuple(_phase(each) for each in data["phases"])
    context = Context(slis, label_values(data, language), frozenset(part_values(data, language)))
    demanded, alerts, aborts = build_demands(data, context)
    return Scenario(
        name=data["name"],
        title=data["title"],
        description=data["description"],
        system=data["system"],
        duration_s=duration_s,
        drain_s=units.duration(data["drain"]),
        warmup_s=units.duration(data["warmup"]),
        seed=data["seed"],
        timezone=data["timezone"],
        preflight=tuple(data["preflight"]),
        notify=_notify(data["notify"]),
        exports=_exports(data["export"]),
        workload=_workload(data, language, settings, folders),
        phases=phases,
        system_settings=settings,
        faults=tuple(_fault(each, duration_s, folders, language, settings) for each in data["faults"]),
        slis=named_slis(slis, demanded, [*aborts, *(each.condition for each in alerts)], language.on_demand(settings)),
        strict=data["evidence"] == "strict",
        objectives=demanded,
        alerts=alerts,
        aborts=aborts,
        telemetry=_telemetry(data["telemetry"]),
        checkpoint_every_s=units.duration(data["checkpoints"]["every"]),
        repeat=data["repeat"],
        start=_start(data),
        parts=tuple(tuple(each.items()) for each in language.parts(data)),
        **_of_real_runs(data),
    )


# What few scenarios have is loaded where one has it.


def _of_real_runs(data: Mapping_) -> dict[str, Any]:
    """Checks, teardown and HTTP requests."""
    built: dict[str, Any] = {}
    if data.get("checks") or data.get("teardown"):
        from soak.schemas.language.check_build import build_checks, build_teardown

        built |= {"checks": build_checks(data), "teardown": build_teardown(data)}
    if "http" in data:
        from soak.schemas.language.http import build_http

        built["http"] = build_http(data["http"])
    return built


def _notify(entries: Sequence[Mapping_]) -> "tuple[Notify, ...]":
    if not entries:
        return ()
    from soak.schemas.language.outlets_build import build_notify

    return tuple(map(build_notify, entries))


def _exports(entries: Sequence[Mapping_]) -> "tuple[Export, ...]":
    if not entries:
        return ()
    from soak.schemas.language.outlets_build import build_export

    return tuple(map(build_export, entries))


def _telemetry(data: Mapping_) -> Telemetry:
    interval_s, gap_s, lag_s = (units.duration(data[key]) for key in ("sample_interval", "max_gap", "max_lag"))
    return Telemetry(interval_s, gap_s, lag_s, compress=data["compress"] if data["compress"] != "none" else None)


def build_distribution(data: Mapping_, folders: Folders) -> Distribution:
    """A distribution; raises ValueError if an empirical file cannot be used."""
    shape = data["distribution"]
    if shape == "constant":
        return Constant(units.duration(data["value"]))
    if shape == "exponential":
        return Exponential(units.duration(data["mean"]))
    if shape == "uniform":
        return Uniform(units.duration(data["low"]), units.duration(data["high"]))
    if shape == "lognormal":
        return LogNormal(units.duration(data["median"]), units.duration(data["p95"]))
    return Empirical(data["file"], read_values(data["file"], folders, units.SECONDS[data["unit"]]))


def read_values(file: str, folders: Folders, unit_s: float) -> tuple[float, ...]:
    """The values of an empirical file in seconds; raises ValueError with file, line and problem."""
    values, name = [], PurePath(file).name
    try:
        lines = folders.read(file).decode().split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: is not UTF-8 text") from None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if not _VALUE.fullmatch(text):
            raise ValueError(f"{name}:{number}: {quoted(text)} is not a number")
        value = float(text) * unit_s
        if not 0 <= value < 1e9:
            raise ValueError(f"{name}:{number}: {shortened(text)} is not a duration")
        values.append(value)
    if not values:
        raise ValueError(f"{name}: contains no values")
    return tuple(values)


def recurrence(data: Mapping_) -> Recurrence | None:
    """When a fault takes place, or None for all the time."""
    if "for" not in data:
        return None
    every = units.duration(data["every"]) if "every" in data else 0.0
    at = units.duration(data["at"]) if "at" in data else every
    return Recurrence(at, units.duration(data["for"]), every)


def _phase(data: Mapping_) -> Phase:
    start = units.duration(data["at"])
    return Phase(data["name"], Window(start, start + units.duration(data["for"])))


def _start(data: Mapping_) -> datetime | None:
    return parse_start(data["start"], data["timezone"]) if "start" in data else None


def _workload(scenario: Mapping_, language: Language, settings: Any, folders: Folders) -> Workload:
    data = scenario["workload"]
    groups = groups_of(scenario["phases"], [each["name"] for each in data["tenants"]]) if "users" in data else ()
    tenants = tuple(_tenants(data["tenants"], groups))
    kinds = build_kinds(scenario, language, folders, lambda: language.service(scenario, settings, folders))
    service = mixture(kinds) if kinds else language.service(scenario, settings, folders)
    if "users" in data:
        users = build_users(data["users"], lambda each: build_distribution(each, folders), groups)
        most = most_per_s(users, service, language.at_once(settings))
        return Workload(Process.POISSON, most, None, service, tenants, data.get("tasks"), kinds=kinds, users=users)
    duration_s, clock = units.duration(scenario["duration"]), Clock.of(_start(scenario), scenario["timezone"])
    arrivals = language.arrivals(scenario)
    shape = shape_of(arrivals, duration_s, clock)
    burst = None if shape else arrivals.get("burst")
    workload = Workload(
        process=Process(arrivals["process"]),
        rate_per_s=total(shape.pieces) / duration_s if shape else _plain_rate(arrivals, duration_s),
        burst=Burst(units.duration(burst["every"]), units.duration(burst["for"]), units.rate(burst["rate"]))
        if burst
        else None,
        service=service,
        tenants=tenants,
        tasks=data.get("tasks"),
        kinds=kinds,
        shape=shape,
        batch=batch_of(arrivals),
        exactly=Exactly(arrivals["count"], duration_s) if "count" in arrivals else None,
        scheduled=tuple(scheduled_of(each, duration_s, clock) for each in arrivals.get("scheduled", ())),
    )
    return with_trace(workload, scenario, folders, duration_s)


def _tenants(data: Sequence[Mapping_], groups: Sequence[Group]) -> Iterator[Tenant]:
    """Tenants with their shares; where users belong to them, the share of the time that users are at work."""
    total_s = sum(group.time_s for group in groups)
    for place, each in enumerate(data):
        share = groups[place].time_s / total_s if total_s else units.ratio(each.get("share", 0))
        yield Tenant(each["name"], share)


def _plain_rate(arrivals: Mapping_, duration_s: float) -> float:
    """Of a constant rate; a number of arrivals overrules it, since it is only the shape then."""
    return arrivals["count"] / duration_s if "count" in arrivals else base_rate(arrivals, duration_s)


def _fault(data: Mapping_, duration_s: float, folders: Folders, language: Language, settings: Any) -> Fault:
    when, spec, kind = recurrence(data), language.faults[data["type"]], data.get("kind", ())
    if timed := language.timed(data, settings):
        when, spec = timed.when, timed.spec
    windows = when.windows(duration_s) if when else ()
    return Fault(
        name=data["name"],
        spec=spec,
        rate=units.ratio(data["rate"]) if "rate" in data else float(spec.always),
        windows=windows,
        errors=tuple(data.get("errors", [data["type"]])),
        hang_for_s=units.duration(data["hang_for"]) if "hang_for" in data else 0.0,
        delay=build_distribution(data["delay"], folders) if "delay" in data else DEFAULT_DELAY,
        dependency=language.struck(data, settings),
        retry_after_s=units.duration(data["retry_after"]) if "retry_after" in data else DEFAULT_RETRY_AFTER_S,
        kinds=(kind,) if isinstance(kind, str) else tuple(kind),
        strikes=tuple(timed.strikes(each.start_s) for each in windows) if timed else (),
    )
