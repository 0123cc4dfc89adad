"""The table of reviews in report.html."""

from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.reviews import MOST_SHOWN, Reviewed, Shown, about
from soak.reports.texts import brief
from soak.schemas.evidence.reviews import Note, Opinion

_TONES = {Opinion.ACCEPTED: Tone.OK, Opinion.REJECTED: Tone.BAD}


def reviews(shown: Shown) -> Table:
    """The latest reviews; a decision on other evidence is neither good nor bad news."""
    columns = (Column("", status=True), Column("by"), Column("when"), Column("notes", wide=True))
    return Table(columns, [_row(each) for each in shown.latest], "Reviews")


def _row(each: Reviewed) -> list[AnyCell]:
    review = each.review
    notes = [line for note in review.notes[:MOST_SHOWN] for line in _lines(note)]
    if len(review.notes) > MOST_SHOWN:
        notes.append(f"{len(review.notes) - MOST_SHOWN:,} more notes")
    of = "of this evidence" if each.counts else "of other evidence"
    return [
        Cell(review.decision.value, tone=_TONES.get(review.decision, Tone.NONE) if each.counts else Tone.NONE),
        brief(review.who),
        Cell(review.at, [of]),
        Cell(notes[0] if notes else "", notes[1:]),
    ]


def _lines(note: Note) -> list[str]:
    subject = brief(about(note))
    return brief(f"{subject}: {note.text}" if subject else note.text).splitlines()
