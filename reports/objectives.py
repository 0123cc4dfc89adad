"""What the evidence behind an objective is worth, in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.expression import Op
from soak.schemas.units import show_ratio

_LEAST_SAID = 0.5
"""That a rate above this one is excluded says nothing."""

_AS_GOOD = 0.99
"""An effective number above this share of the observations is not worth showing."""


def observations(objective: ObjectiveResult) -> str:
    """How many there were, and how many independent ones say as much."""
    shown, effective = f"{objective.samples:,}", objective.effective_samples
    if effective is None or not _depend(objective):
        return shown
    return f"{shown} (as {effective:,.0f})" if effective >= 10 else f"{shown} (as {effective:.1f})"


def _depend(objective: ObjectiveResult) -> bool:
    effective = objective.effective_samples
    return effective is not None and effective <= _AS_GOOD * objective.samples


def excludes(objective: ObjectiveResult) -> str:
    """Which rate of what was never seen the observations exclude."""
    if objective.excluded is None or objective.excluded > _LEAST_SAID:
        return ""
    rate = show_ratio(float(f"{objective.excluded:.2g}"))
    return f"never otherwise in {objective.samples:,}: with 95 % confidence a rate of {rate} or more is excluded"


def evidence(objectives: Sequence[ObjectiveResult]) -> Iterator[str]:
    """Sentences on what the results rest on: dependence, and families of objectives that are judged together."""
    if any(_depend(each) for each in objectives):
        yield "Observations of one run depend on each other: in brackets, how many independent ones say as much."
    seen: set[tuple[str, str, float | None, int, tuple[str, ...]]] = set()
    for each in objectives:
        key = (each.sli, each.op, each.confidence, each.family, tuple(each.labels))
        if each.family > 1 and key not in seen:
            seen.add(key)
            error = show_ratio(round(1 - (each.confidence or 0.95), 6))
            what = f"{each.family} objectives on {each.sli} of each {' and '.join(each.labels)}"
            side = "" if each.op == Op.ABOUT.value else " by chance"
            yield f"{what}: FAIL takes Holm's method, so that the chance that any of them is FAIL{side} is at most {error}."


def plain(status: Status) -> str:
    """A result in words."""
    return "not applicable" if status is Status.NOT_APPLICABLE else status.value


def result(status: Status) -> str:
    """A result in Markdown: bold where it is neither PASS nor of something that does not apply."""
    return plain(status) if status in {Status.PASS, Status.NOT_APPLICABLE} else f"**{status.value}**"


WORDS: Mapping[str, Callable[..., object]] = {
    "observations": observations,
    "excludes": excludes,
    "evidence": evidence,
    "plain": plain,
    "result": result,
}
"""Filters of templates."""
