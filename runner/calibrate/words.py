"""The words in a calibration: the head of the overlay, and notes for its reader."""

from collections.abc import Iterator

from soak.runner.calibrate.fits import EMPIRICAL, Fitted
from soak.runner.calibrate.shares import burst_time
from soak.runner.calibrate.source import Source
from soak.runner.calibrate.timing import Service
from soak.schemas.evidence.verdict import End
from soak.schemas.files import file_name
from soak.schemas.language.windows import Window
from soak.schemas.units import show_duration

_ENDED = {
    End.DECIDED: "was ended early, once its verdict was known",
    End.ABORTED: "was aborted",
    End.INTERRUPTED: "was interrupted",
    End.CUT: "broke off",
}


def header(source: Source, window: Window, for_speed: float | None) -> list[str]:
    """The lines at the top of an overlay."""
    identity = source.identity
    start, end = show_duration(window.start_s), show_duration(window.end_s)
    lines = [
        f"The parameters of the model of {identity.scenario}, from the run {file_name(source.directory.path.resolve())}",
        f"(target {identity.target}, seed {identity.seed}), tasks due from {start} to {end}.",
    ]
    if identity.clock == "real":
        speed = identity.speed if for_speed is None else for_speed
        lines.append(f"The run had speed {identity.speed:g}; machine overhead is converted to speed {speed:g}.")
    return [*lines, "Use: soak run SCENARIO --overlay overlay.yaml"]


def notes(source: Source, windows: tuple[Window, Window], service: Service, fitted: Fitted) -> Iterator[str]:
    """What a reader should know before using the calibration."""
    if source.end in _ENDED:
        yield f"the run {_ENDED[source.end]} at {show_duration(source.ended_s)}: it counts as far as it got"
    if not source.sealed:
        yield "its evidence is not sealed: nobody can tell whether it was changed"
    if source.gaps:
        yield f"its runner was gone {source.gaps} times: what went on meanwhile is in the figures"
    if service.left_out:
        yield f"{service.left_out} attempts were left out: the end of the run could have cut them off"
    burst = source.loaded.scenario.workload.burst
    if burst:
        mine, held = (burst_time(window, burst.every_s, burst.for_s) for window in windows)
        if not mine:
            yield "the part that calibrates holds no burst: what bursts do to the system was not seen"
        if not held:
            yield "the part that was held back holds no burst: what the model says of bursts is not checked"
    if fitted.name == EMPIRICAL:
        yield "no distribution fits the service times: the overlay draws from the observed ones, and knows no longer ones"
