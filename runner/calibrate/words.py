"""What a calibration says of itself in words."""

from collections.abc import Iterator

from soak.runner.calibrate.fits import EMPIRICAL, Fitted
from soak.runner.calibrate.shares import burst_time
from soak.runner.calibrate.source import Source
from soak.runner.calibrate.timing import Service
from soak.schemas.evidence.calibration import Calibration, Parameter, Taken
from soak.schemas.evidence.verdict import End
from soak.schemas.files import file_name
from soak.schemas.language.windows import Window
from soak.schemas.units import show_duration

_ENDED = {
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
        lines.append(
            f"The run went {identity.speed:g} times as fast: what the computer itself needs is here as at {speed:g} times."
        )
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


def summary_lines(calibration: Calibration, directory: str) -> str:
    """The calibration for a terminal."""

    check = calibration.check
    words = {"PREDICTS": "the model predicts the held-back part"}.get(check.answer.value, "")
    lines = [f"{check.answer.value}  {calibration.scenario}{': ' if words else ''}{words}"]
    lines += [f"  {reason}" for reason in check.reasons]
    lines += [f"  {_parameter_line(each)}" for each in calibration.parameters]
    lines.append("")
    for each in check.predictions:
        if each.inside is None or each.low is None or each.high is None or each.observed is None:
            lines.append(f"  {'':8} {each.sli:16} nothing to compare")
            continue
        bounds = f"{shown(each.low, each.unit)} to {shown(each.high, each.unit)}"
        place = "inside" if each.inside else "OUTSIDE"
        lines.append(f"  {place:8} {each.sli:16} {shown(each.observed, each.unit):>12} observed, {bounds} predicted")
    lines.append(f"  {check.outside} of {check.compared} outside, {check.expected:.2g} expected by chance")
    lines += [f"  note: {note}" for note in calibration.notes]
    return "\n".join([*lines, f"  overlay: {directory}/overlay.yaml", f"  report: {directory}/calibration.md"])


def shown(value: float, unit: str) -> str:
    """A value of an SLI for people."""
    from soak.schemas.language.expression import Unit

    return Unit(unit).show(value)


def _parameter_line(parameter: Parameter) -> str:
    from soak.runner.calibrate.overlay import show

    if parameter.taken is Taken.UNSEEN or parameter.estimate is None or parameter.low is None or parameter.high is None:
        return f"{parameter.key:34} as in the scenario: {parameter.detail}"
    interval = f"{show(parameter.low, parameter.unit)} to {show(parameter.high, parameter.unit)}"
    stands = ", the scenario's stands" if parameter.taken is Taken.SCENARIO else ""
    return f"{parameter.key:34} {show(parameter.estimate, parameter.unit):>10} ({interval}){stands}"
