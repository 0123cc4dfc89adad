"""`--violation "success_rate=96.5%"`: which objectives it is about, and how large it is."""

import re
from collections.abc import Sequence

from msgspec import Struct

from soak.runner.power.cases import scale_of
from soak.runner.power.detection import Detector
from soak.schemas import units
from soak.schemas.errors import UsageError, quoted
from soak.schemas.evidence.power import Scale
from soak.schemas.language.conditions import Objective, Reference
from soak.schemas.language.expression import AT_MOST, Op, Selector, UnclearError, parse_expression
from soak.schemas.language.shape import did_you_mean

_TEXT = re.compile(r"\s*(?P<left>\w+\s*(?:\{[^{}]*\})?)\s*=\s*(?P<size>[^=\s].*?)\s*")
_FACTOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)x")
_HOUR_S = 3600.0


class ViolationRequest(Struct, frozen=True):
    """A violation named with --violation: of an objective, this size, in events per hour where `hourly`."""

    text: str
    objective: Objective
    size: float
    hourly: bool = False

    def on(self, scale: Scale, opportunities_per_hour: float) -> float:
        """The size on the scale of its objective."""
        return self.size / opportunities_per_hour if self.hourly and scale is Scale.SHARE else self.size


def parse_violations(texts: Sequence[str], objectives: Sequence[Objective]) -> list[ViolationRequest]:
    """What `--violation` asks for. Raises UsageError."""
    return [asked for text in texts for asked in _parse(text, objectives)]


def _parse(text: str, objectives: Sequence[Objective]) -> list[ViolationRequest]:
    match = _TEXT.fullmatch(text) if len(text) <= 300 else None
    if not match:
        raise UsageError(
            f'{quoted(text)} is not a violation (write <sli>=<size>, such as success_rate=96.5% or "latency_p95=130s")'
        )
    name, selector = _left(match["left"])
    named = [each for each in objectives if each.comparison.sli.name == name]
    if not named:
        known = sorted({each.comparison.sli.name for each in objectives})
        raise UsageError(f"--violation {text}: no objective is about {name!r} ({did_you_mean(name, known)})")
    meant = [each for each in named if not selector or each.comparison.selector == selector]
    if not meant:
        known = [each.comparison.text for each in named]
        raise UsageError(f"--violation {text}: no objective has these labels (there are: {'; '.join(known)})")
    return [_asked(text, match["size"], each) for each in meant]


def _left(text: str) -> tuple[str, Selector]:
    try:
        expression = parse_expression(f"{text} == 0")
    except UnclearError as error:
        raise UsageError(f"--violation {text}: {error}") from None
    return expression.sli, expression.selector


def _asked(text: str, written: str, objective: Objective) -> ViolationRequest:
    size, hourly = _size(text, written, objective)
    asked = ViolationRequest(text, objective, size, hourly)
    comparison = objective.comparison
    target = comparison.target.factor if isinstance(comparison.target, Reference) else comparison.target
    if scale_of(objective) in {Scale.VALUE, Scale.FACTOR} and comparison.op.holds(size, target):
        raise _no_violation(asked)
    return asked


def check(asked: ViolationRequest, size: float, detector: Detector) -> float:
    """The size. Raises UsageError where it is on the good side of where a violation begins."""
    beyond = size > detector.limit if detector.worst > detector.limit else size < detector.limit
    if not beyond:
        raise _no_violation(asked)
    return size


def _no_violation(asked: ViolationRequest) -> UsageError:
    way = "above" if asked.objective.comparison.op in AT_MOST else "away from" if _exact(asked) else "below"
    return UsageError(
        f"--violation {asked.text}: {asked.objective.comparison.text} holds at that value: it is not a violation "
        f"(name one {way} the target)"
    )


def _exact(asked: ViolationRequest) -> bool:
    return asked.objective.comparison.op in {Op.EQ, Op.NE}


def _size(text: str, written: str, objective: Objective) -> tuple[float, bool]:
    """The size, and whether it is in events per hour."""
    scale, unit = scale_of(objective), objective.comparison.sli.unit
    try:
        if scale is Scale.VALUE:
            return unit.parse(written), False
        if scale is Scale.FACTOR:
            match = _FACTOR.fullmatch(written)
            if not match:
                raise ValueError(written)
            return float(match[1]), False
        if scale is Scale.SHARE and "/" not in written:
            return units.ratio(written), False
        return units.rate(written) * _HOUR_S, True
    except UnclearError as error:
        raise UsageError(f"--violation {text}: {error}") from None
    except ValueError:
        raise UsageError(f"--violation {text}: {quoted(written)} is not {_WANTED[scale]}") from None


_WANTED = {
    Scale.SHARE: "a share of the opportunities (write 0.01% or 2/h)",
    Scale.HOURLY: "a rate of events (write 1/d or 0.5/h)",
    Scale.FACTOR: "a factor (write 1.3x)",
}
