"""The system `pipeline`: from checked data, defaults filled in, to typed settings."""

from collections.abc import Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.files import Folders
from soak.schemas.language.backoff import build_backoff
from soak.schemas.language.build import build_distribution
from soak.schemas.systems.pipeline.settings import (
    Alerts,
    Guarantee,
    Health,
    Overflow,
    Passes,
    Pipeline,
    PipelineFault,
    Process,
    Restart,
    RestartWhen,
    Sink,
    Supervisor,
)

Data = Mapping[str, Any]


def build_pipeline(scenario: Data, folders: Folders) -> Pipeline:
    """The settings of a pipeline. Raises ValueError if an empirical file cannot be used."""
    data = scenario["pipeline"]
    processes = tuple(_process(each, folders) for each in data["processes"])
    return Pipeline(
        processes,
        tuple(_sink(each) for each in data["sinks"]),
        _supervisor(data["supervisor"], tuple(each.name for each in reversed(processes))),
        _alerts(data["alerts"]),
        resume=data["source"]["resume"],
        strong=units.ratio(data["records"]["strong"]),
        low_consistency=units.ratio(data["records"]["low_consistency"]),
        stream_timeout_s=units.duration(data["stream_timeout"]),
        export_every_s=units.duration(data["export"]["every"]),
        faults={each["name"]: _fault(each) for each in scenario["faults"]},
    )


def _process(data: Data, folders: Folders) -> Process:
    return Process(
        data["name"],
        data["reads"],
        data.get("writes", ""),
        service=build_distribution(data["service"], folders),
        start=build_distribution(data["start"], folders),
        buffer=data["buffer"],
        overflow=Overflow(data["overflow"]),
        guarantee=Guarantee(data["guarantee"]),
        checkpoint_s=units.duration(data["checkpoint"]),
        passes=Passes(data["passes"]),
    )


def _sink(data: Data) -> Sink:
    batch = data.get("batch")
    rows, every_s = (batch["rows"], units.duration(batch["every"])) if batch is not None else (1, 0.0)
    return Sink(data["name"], data["of"], rows, every_s)


def _supervisor(data: Data, backwards: tuple[str, ...]) -> Supervisor:
    health, restart, shutdown = data["health"], data["restart"], data["shutdown"]
    return Supervisor(
        Health(
            units.duration(health["every"]),
            units.duration(health["start_timeout"]),
            units.duration(health["timeout"]),
            health.get("unhealthy_after"),
        ),
        Restart(
            RestartWhen(restart["when"]),
            build_backoff(restart["backoff"], "none"),
            restart["max_restarts"],
            within_s=units.duration(restart["within"]),
            reset_after_s=units.duration(restart["reset_after"]),
        ),
        order=tuple(shutdown.get("order", backwards)),
        grace_s=units.duration(shutdown["grace"]),
    )


def _alerts(data: Data) -> Alerts:
    silent, low, strong = data.get("no_records"), data.get("low_consistency"), data.get("strong_ratio")
    return Alerts(
        no_records_s=units.duration(silent["for"]) if silent is not None else None,
        low_consistency=units.ratio(low["above"]) if low is not None else None,
        strong_ratio=units.ratio(strong["below"]) if strong is not None else None,
        tolerance_s=units.duration(data["tolerance"]),
    )


def _fault(data: Data) -> PipelineFault:
    return PipelineFault(
        during_startup=data.get("during") == "startup",
        share=units.ratio(data["to"]) if "to" in data else 0.0,
        jump_s=units.duration(data["by"]) if "by" in data else 0.0,
        lasting="for" in data,
    )
