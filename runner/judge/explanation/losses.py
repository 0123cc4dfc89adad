"""What is said of tasks that were lost: at which deaths, and in which states the census does not have them."""

import numpy as np

from soak.runner.judge.explanation import words
from soak.runner.judge.judge import Judge
from soak.runner.judge.room import AtTheEnd
from soak.schemas.evidence.explanation import MOST_CASES, Broken, Case, Cases, Explanation
from soak.schemas.language.slis import AT_THE_END


def losses(judge: Judge, kind: Broken, subject: str, of: str) -> Explanation | None:
    """What the system knows at the end of a run of a series or law; None for nothing."""
    end = judge.lifecycle.tracker.at_the_end(of, judge.lifecycle)
    missing = _missing(judge) if kind is Broken.OBJECTIVE and of == AT_THE_END else ""
    if end is None and not missing:
        return None
    cases = _by_cause(judge, end) if end else []
    since_s = min((each.first[0].t_s for each in cases), default=None)
    text = words.sentences(end.words if end else "", missing, words.fell_into(cases))
    return Explanation(kind, subject, text, since_s, None, None, None, None, cases)


def conservation(judge: Judge, subject: str) -> Explanation | None:
    """In which states the census has another number of tasks than the events."""
    text = words.sentences(_missing(judge))
    return Explanation(Broken.LAW, subject, text, None, None, None, None, None, []) if text else None


def _missing(judge: Judge) -> str:
    differences = judge.lifecycle.census_differences()
    return ", ".join(
        f"{by_events:,} {state.name} by the events and {in_census:,} in the census"
        for state, (by_events, in_census) in differences.items()
    )


def _by_cause(judge: Judge, end: AtTheEnd) -> list[Cases]:
    causes: dict[str, list[Case]] = {}
    for cause, case in end.cases:
        causes.setdefault(cause, []).append(case)
    found = []
    for cause, cases in causes.items():
        hits = judge.records.calendar.hits(np.array([case.t_s for case in cases]))
        found.append(Cases(cause, len(cases), hits.phases, hits.bursts, hits.faults, cases[:MOST_CASES]))
    return sorted(found, key=lambda each: (-each.count, each.cause))
