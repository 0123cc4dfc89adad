"""What the system `pipeline` adds to the scenario language."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from soak.schemas.errors import Where
from soak.schemas.files import Folders
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.room import Amount, Data, Language, Level, Minutes, Work
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.build import build_pipeline
from soak.schemas.systems.pipeline.checks import CHECKS
from soak.schemas.systems.pipeline.faults import FAULTS, OF_PROCESS, OF_SINK, load_faults, timed
from soak.schemas.systems.pipeline.indicators import ALERT, FIGURE, PROCESS, SINK, SLIS
from soak.schemas.systems.pipeline.names import alert_names, kind_names, process_names, sink_names
from soak.schemas.systems.pipeline.settings import AlertRule, Figure, Pipeline


def _service(scenario: Data, settings: Pipeline, folders: Folders) -> Distribution:
    return settings.processes[settings.reader].service


def _struck(fault: Data, settings: Pipeline) -> str:
    """The process or sink that a fault affects; empty for others."""
    if fault["type"] in OF_PROCESS:
        return str(fault.get("process", settings.processes[0].name))
    if fault["type"] in OF_SINK:
        return str(fault.get("sink", settings.sinks[0].name))
    return ""


def _names(scenario: Data) -> tuple[str, ...]:
    return (*process_names(scenario), *sink_names(scenario))


def _parts(scenario: Data) -> Iterator[dict[str, str]]:
    """The labels of each process, sink (alone and with each kind of records), figure and alert."""
    yield from ({PROCESS: name} for name in process_names(scenario))
    yield from ({FIGURE: figure.value} for figure in Figure)
    yield from ({ALERT: name} for name in alert_names(scenario))
    for sink in sink_names(scenario):
        yield {SINK: sink}
        yield from ({SINK: sink, "kind": kind} for kind in kind_names(scenario))


def _distributions(scenario: Data) -> list[Where]:
    return [
        ("pipeline", "processes", place, key)
        for place in range(len(process_names(scenario)))
        for key in ("service", "start")
    ]


def _arrivals(scenario: Data) -> Data:
    """The arrivals of a scenario with the faults of its source in them, as bursts: where they overlap these decide."""
    arrivals: dict[str, Any] = dict(scenario["workload"]["arrivals"])
    if bursts := load_faults(scenario["faults"]):
        own = [{"name": "burst", "at": "0s", **arrivals.pop("burst")}] if "burst" in arrivals else []
        arrivals["bursts"] = [*bursts, *own, *arrivals.get("bursts", ())]
    return arrivals


_MINUTES = Minutes(
    counts={},
    waiting=frozenset(),
    workers=False,
    more={
        "probes_green": Kind.PROBE_GREEN,
        "probes_failed": Kind.PROBE_FAILED,
        "exits": Kind.PROCESS_EXITED,
        "starts": Kind.PROCESS_STARTED,
        "reconnects": Kind.STREAM_RECONNECTED,
        "exports": Kind.EXPORT_MADE,
    },
    levels={"processes_up": Level((Kind.PROCESS_STARTED,), (Kind.PROCESS_EXITED,), workers=0)},
    amounts={
        "records_sent": Amount(Kind.RECORDS_SENT),
        "records_dropped": Amount(Kind.RECORDS_DROPPED),
        "records_missed": Amount(Kind.RECORDS_MISSED),
        "records_lost": Amount(Kind.RECORDS_LOST),
        "records_duplicated": Amount(Kind.RECORDS_DUPLICATED),
        "orders": Amount(Kind.ORDERS_PLACED),
    },
)


def _minutes_with(pipeline: Pipeline) -> Minutes:
    """With columns for each process and sink."""
    by_part = {
        **{
            f"stored:{each.name}": Amount(Kind.RECORDS_STORED, records=True, worker=pipeline.sink(each.name))
            for each in pipeline.sinks
        },
        **{
            f"backlog:{each.name}": Amount(Kind.SAMPLE_BACKLOG, worker=number, most=True)
            for number, each in enumerate(pipeline.processes)
        },
    }
    return replace(_MINUTES, amounts={**_MINUTES.amounts, **by_part})


_BESIDE = (("lost_records", "lost (in all sinks together)"), ("gap_records", "missed"), ("left_in_queues", "waiting"))

LANGUAGE = Language(
    name="pipeline",
    fragment=Path(__file__).with_name("language.json"),
    template=Path(__file__).with_name("template.yaml"),
    build=build_pipeline,
    service=_service,
    slis=SLIS,
    faults=FAULTS,
    minutes=_MINUTES,
    minutes_with=_minutes_with,
    work=Work("record", "records", "sent", "stored", _BESIDE),
    checks=CHECKS,
    names=_names,
    distributions=_distributions,
    struck=_struck,
    timed=lambda data, settings: timed(data),
    arrivals=_arrivals,
    parts=_parts,
    headline={"green": "health_green", "p95": "latency_p95"},
    levels={Kind.SAMPLE_BACKLOG: "records waiting"},
    instead={"duration": "a record takes the service of each process"},
    words=lambda settings: (*settings.parts, *AlertRule),
)
