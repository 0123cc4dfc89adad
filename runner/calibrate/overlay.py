"""The overlay: YAML that puts the calibrated parameters into a scenario, each with where it comes from."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from soak.runner.calibrate.fits import EMPIRICAL, Fitted, parameters_of
from soak.schemas.evidence.calibration import CalibratedParameter, Taken
from soak.schemas.language.distributions import Distribution, Empirical
from soak.schemas.units import show_duration, show_rate, show_ratio

OVERLAY, VALUES = "overlay.yaml", "service-times.txt"
SERVICE = "workload.task.duration"
_FIGURES = 5
_PLAIN = re.compile(r"[a-z][a-z_-]+")
_TAKEN_FOR_ELSE = frozenset({"yes", "no", "on", "off", "true", "false", "null"})
_PER = (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0))


@dataclass(slots=True)
class _Entry:
    """One value with the comment before it."""

    value: str
    comment: str


@dataclass(slots=True)
class _Node:
    entries: "dict[str, _Node | _Entry]" = field(default_factory=dict)

    def inside(self, key: str) -> "_Node":
        node = self.entries.setdefault(key, _Node())
        assert isinstance(node, _Node)
        return node


NewFault: TypeAlias = tuple[str, list[str]]


def write_overlay(
    header: Sequence[str],
    fitted: Fitted,
    observations: int,
    parameters: Sequence[CalibratedParameter],
    new: dict[str, NewFault],
) -> str:
    """The overlay as text. `new`: type and errors of faults that the scenario does not have, by name."""
    top = _Node()
    duration = top.inside("workload").inside("task").entries
    duration["duration"] = _Entry(_distribution_text(fitted.distribution), service_comment(fitted, observations))
    faults: list[tuple[str, str]] = []
    tenants: list[tuple[str, str]] = []
    shares = _rounded([p.value or 0.0 for p in parameters if p.key.startswith("workload.tenants.")])
    for each in parameters:
        if each.value is None or each.taken is Taken.UNSEEN:
            continue
        *path, last = each.key.split(".")
        if path[0] == "faults":
            name = ".".join(path[1:])
            faults.append((_fault(name, each, new.get(name)), parameter_comment(each)))
        elif path[:2] == ["workload", "tenants"]:
            text = f"{{name: {_word('.'.join(path[2:]))}, share: {shares[len(tenants)]}}}"
            tenants.append((text, parameter_comment(each)))
        else:
            node = top
            for step in path:
                node = node.inside(step)
            node.entries[last] = _Entry(show_value(each.value, each.unit), parameter_comment(each))
    lines = [f"# {line}".rstrip() for line in header]
    lines += _lines(top, 0, {"workload": ("tenants", tenants)})
    lines += _list("faults", faults, 0)
    return "\n".join(lines) + "\n"


def _lines(node: _Node, depth: int, lists: dict[str, tuple[str, list[tuple[str, str]]]]) -> Iterator[str]:
    indent = "  " * depth
    for key, entry in node.entries.items():
        if isinstance(entry, _Entry):
            yield f"{indent}# {entry.comment}"
            yield f"{indent}{key}: {entry.value}"
        else:
            yield f"{indent}{key}:"
            yield from _lines(entry, depth + 1, {})
            if key in lists:
                yield from _list(*lists[key], depth + 1)


def _list(key: str, entries: list[tuple[str, str]], depth: int) -> Iterator[str]:
    indent = "  " * depth
    if entries:
        yield f"{indent}{key}:"
    for text, comment in entries:
        yield f"{indent}  # {comment}"
        yield f"{indent}  - {text}"


def _fault(name: str, parameter: CalibratedParameter, new: NewFault | None) -> str:
    assert parameter.value is not None
    rate = show_value(parameter.value, parameter.unit)
    if new is None:
        return f"{{name: {_word(name)}, rate: {rate}}}"
    kind, errors = new
    listed = ", ".join(map(_word, errors))
    return f"{{name: {_word(name)}, type: {kind}, rate: {rate}, errors: [{listed}]}}"


def _word(text: str) -> str:
    """A word as YAML reads it back: in quotes where it could be taken for something else."""
    return text if _PLAIN.fullmatch(text) and text not in _TAKEN_FOR_ELSE else f'"{text}"'


def _rounded(shares: list[float]) -> list[str]:
    """Shares as text that add up to one exactly."""
    whole = [round(share * 10_000) for share in shares]
    if whole:
        whole[-1] = 10_000 - sum(whole[:-1])
    return [f"{each / 100:g}%" for each in whole]


def _distribution_text(distribution: Distribution) -> str:
    if isinstance(distribution, Empirical):
        return f"{{distribution: {EMPIRICAL}, file: {VALUES}, unit: s}}"
    kind = type(distribution).__name__.lower()
    keys = ", ".join(f"{key}: {_seconds(value)}" for key, value in parameters_of(distribution).items())
    return f"{{distribution: {kind}, {keys}}}"


def service_comment(fitted: Fitted, observations: int) -> str:
    """Where the service time comes from, in a line."""
    words = [
        f"{key} {show_duration(interval.low)} to {show_duration(interval.high)}"
        for key, interval in fitted.intervals.items()
    ]
    return f"{fitted.name}, 95 % interval: {', '.join(words)}; {observations:,} successful attempts"


def parameter_comment(parameter: CalibratedParameter) -> str:
    """Where a parameter comes from, in a line."""
    assert parameter.estimate is not None and parameter.low is not None and parameter.high is not None
    estimate, low, high = (show(value, parameter.unit) for value in (parameter.estimate, parameter.low, parameter.high))
    observed = f"observed {estimate}, 95 % interval {low} to {high}; {parameter.detail}"
    if parameter.taken is Taken.SCENARIO:
        return f"{observed}; the scenario's value lies inside and is kept"
    return observed


def show(value: float, unit: str) -> str:
    """A value for people."""
    return {"ratio": show_ratio, "per s": show_rate}.get(unit, show_duration)(value)


def show_value(value: float, unit: str) -> str:
    """A value as a scenario writes it."""
    if unit == "ratio":
        return f"{_plain(value * 100)}%"
    if unit == "per s":
        name, scale = next(((name, scale) for name, scale in _PER if value * scale >= 1), _PER[-1])
        return f"{_plain(value * scale)}/{name}"
    return _seconds(value)


def _seconds(value_s: float) -> str:
    return f"{_plain(max(value_s, 1e-5) if value_s > 0 else 0.0)}s"


def _plain(value: float) -> str:
    """A number to five significant figures, without an exponent."""
    text = f"{float(f'{value:.{_FIGURES}g}'):.9f}"
    return text.rstrip("0").rstrip(".")


def values_text(distribution: Empirical) -> str:
    """The values of an empirical distribution, one a line, in seconds."""
    return "".join(f"{value:.6f}\n" for value in distribution.values_s)
