"""The end of a run for people, in parts: what services that show more than text are sent."""

from msgspec import Struct

from soak.runner.explained import explanation_of
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.margins import margin_words, observed_words
from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration

MOST_ROWS = 20
"""Objectives that are shown, broken ones first."""


class ObjectiveLine(Struct, frozen=True):
    """An objective: its status in words, what it says, what was observed, and the margin."""

    status: str
    objective: str
    observed: str
    margin: str


class Digest(Struct, frozen=True):
    """A verdict: `why` has each reason with what explains it; `commands` are to be copied. picture: a PNG, with what it shows.

    more: how many objectives are left out.
    """

    headline: str
    title: str
    about: str
    why: tuple[tuple[str, str], ...]
    rows: tuple[ObjectiveLine, ...]
    more: int
    commands: tuple[str, ...]
    picture: bytes | None = None
    pictured: str = ""


def digest_of(verdict: Verdict, scenario: Scenario, run: str, picture: tuple[bytes, str] | None = None) -> Digest:
    """The digest of a run by the name `run`."""
    why = []
    for reason in verdict.typed_reasons:
        explanation = explanation_of(verdict, reason)
        why.append((reason.text, explanation.text if explanation else ""))
    why += [(caveat, "") for caveat in verdict.caveats] + [(warning, "") for warning in verdict.warned]
    ordered = sorted(verdict.applicable, key=lambda each: _ORDER[each.status])
    rows = [
        ObjectiveLine(each.status.value, each.objective, observed_words(each), margin_words(each))
        for each in ordered[:MOST_ROWS]
    ]
    lasted = show_duration(round(verdict.ended_s))
    return Digest(
        verdict.headline,
        scenario.title or verdict.scenario,
        f"{verdict.target}, seed {verdict.seed}, {lasted} of scenario time, run {run}",
        tuple(why),
        tuple(rows),
        max(0, len(ordered) - MOST_ROWS),
        (f"soak report {run}", f"soak verify {run}"),
        *(picture or (None, "")),
    )


_ORDER = {Status.FAIL: 0, Status.INCONCLUSIVE: 1, Status.PASS: 2, Status.NOT_APPLICABLE: 3}
