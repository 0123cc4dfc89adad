"""What a gate asks of the reviews of a run."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from soak.reports.reviews import read_reviews, when_of
from soak.runner.evidence.directory import RunDirectory
from soak.schemas.errors import EvidenceError, printable
from soak.schemas.evidence.reviews import Opinion, Review, latest_decisions
from soak.schemas.language.gate import ReviewsRule
from soak.schemas.units import show_duration

_CLOCKS_APART_S = 60.0
_LONGEST = 200


def not_reviewed(rule: ReviewsRule, directory: RunDirectory, now: datetime) -> Iterator[str]:
    """What is missing, with the command that adds it. A review of other evidence counts neither way."""
    try:
        found = read_reviews(directory.path)
    except EvidenceError as error:
        yield str(error)
        return
    decided = latest_decisions(each.review for each in found if each.counts)
    for review in decided:
        if review.decision is Opinion.REJECTED:
            yield printable(f"rejected by {review.who} at {review.at}: {_first(review)}")
    accepted = [review for review in decided if review.decision is Opinion.ACCEPTED]
    doubts = [doubt for review in accepted if (doubt := _age(review, rule, now))]
    valid = [review for review in accepted if not _age(review, rule, now)]
    missing = [role for role in rule.roles if role not in {review.role for review in valid}]
    if len(valid) >= rule.at_least and not missing:
        return
    doubts += [each.problem for each in found if not each.counts]
    yield printable("; ".join([_lacking(rule, len(valid), missing), *doubts])) + f" ({_command(directory, missing)})"


def accepted_by(directory: RunDirectory) -> str:
    """Who accepts a run that is reviewed as asked."""
    decided = latest_decisions(each.review for each in read_reviews(directory.path) if each.counts)
    return printable(", ".join(review.who for review in decided if review.decision is Opinion.ACCEPTED))


def _lacking(rule: ReviewsRule, found: int, missing: list[str]) -> str:
    lacking = [f"{found} of {rule.at_least} acceptances"] if found < rule.at_least else []
    return ", ".join([*lacking, *(f"no acceptance as {role}" for role in missing)])


def _age(review: Review, rule: ReviewsRule, now: datetime) -> str:
    """What is wrong with the age of an acceptance; otherwise empty."""
    age_s = (now - when_of(review)).total_seconds()
    if age_s < -_CLOCKS_APART_S:
        return f"the acceptance by {review.who} is from the future, according to this machine's clock"
    if rule.within_s is not None and age_s > rule.within_s:
        allowed = show_duration(rule.within_s)
        return f"the acceptance by {review.who} is {show_duration(round(age_s))} old ({allowed} allowed)"
    return ""


def _first(review: Review) -> str:
    text = review.notes[0].text if review.notes else "without a note"
    line = text.splitlines()[0] if text.splitlines() else "without a note"
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _command(directory: RunDirectory, missing: list[str]) -> str:
    role = f" --role {shlex.quote(missing[0])}" if missing else ""
    return f"soak review {shlex.quote(str(directory.path))} --accept{role}"
