"""`soak review`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell
from soak.schemas.errors import UsageError, printable
from soak.schemas.units import duration

if TYPE_CHECKING:
    from soak.reports.reviews import Reviewed
    from soak.runner.evidence.reviews import Given

_SHORT = 16


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Scenario time in seconds. Raises click.BadParameter."""
    try:
        return None if value is None else duration(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a moment (write it like 12h30m).", ctx, param) from None


@click.command("review")
@run_directory_argument
@click.option("--by", metavar="NAME", help="Name of the reviewer. [default: user.name of git, or the user]")
@click.option("--role", metavar="ROLE", help="Role in which the review is given, such as qa; a gate can ask for it.")
@click.option("--accept", is_flag=True, help="Accept the run.")
@click.option("--reject", is_flag=True, help="Reject the run.")
@click.option("--note", "notes", metavar="TEXT", multiple=True, help="What was seen. May be repeated.")
@click.option("--note-file", type=click.Path(path_type=Path), metavar="FILE", help="A note from a text file.")
@click.option("--objective", metavar="EXPR", help="The objective that the notes are about.")
@click.option("--at", "at_s", callback=_moment, metavar="MOMENT", help="The moment that the notes are about.")
@json_option
def command(
    run_directory: Path,
    by: str | None,
    role: str | None,
    accept: bool,
    reject: bool,
    notes: tuple[str, ...],
    note_file: Path | None,
    objective: str | None,
    at_s: float | None,
    as_json: bool,
) -> int:
    """Add a review to a run, or show the reviews that it has.

    A review is of the evidence as it is: it holds the hash of the sealed files, and counts for no others. The name in it is
    what was given: it proves nothing. `soak report` puts the reviews into the report; a gate can ask for them (`reviewed`).

    \b
    Examples:
      soak review runs/72h-20260101T000000Z
      soak review runs/72h-20260101T000000Z --accept --role qa
      soak review runs/72h-20260101T000000Z --note "a deployment" --at 12h30m
    """
    from soak.runner.evidence.directory import RunDirectory
    from soak.runner.evidence.reviews import add_review

    directory = RunDirectory.open(run_directory)
    given = _given(by, role, accept=accept, reject=reject, notes=(*notes, *_of_file(note_file)), at=(objective, at_s))
    if given:
        add_review(directory, given)
    _tell(directory.path, added=given is not None, as_json=as_json)
    return 0


def _of_file(path: Path | None) -> tuple[str, ...]:
    from soak.runner.evidence.reviews import read_note

    return () if path is None else (read_note(path),)


def _given(
    by: str | None,
    role: str | None,
    *,
    accept: bool,
    reject: bool,
    notes: tuple[str, ...],
    at: tuple[str | None, float | None],
) -> "Given | None":
    """The review that is asked for; None: the reviews are shown. Raises UsageError."""
    from soak.runner.evidence.reviews import Given, reviewer_name
    from soak.schemas.evidence.reviews import Opinion

    objective, at_s = at
    if accept and reject:
        raise UsageError("--accept and --reject exclude each other (give one)")
    if not notes and (objective is not None or at_s is not None):
        raise UsageError("--objective and --at say what a note is about, and there is none (add --note TEXT)")
    if not (accept or reject or notes):
        if by is not None or role is not None:
            raise UsageError("a review needs a decision or a note (add --accept, --reject or --note TEXT)")
        return None
    name = reviewer_name() if by is None else by
    if not name:
        raise UsageError("the name of the reviewer is not known (give it by --by NAME)")
    decision = Opinion.ACCEPTED if accept else Opinion.REJECTED if reject else Opinion.NOTED
    return Given(name, role, decision, notes, objective, at_s)


def _tell(path: Path, *, added: bool, as_json: bool) -> None:
    from soak.reports.reviews import read_reviews

    reviews = read_reviews(path)
    if as_json:
        import msgspec

        rows = [{**msgspec.to_builtins(each.review), "standing": each.standing.value} for each in reviews]
        tell(msgspec.json.format(msgspec.json.encode({"reviews": rows}), indent=2).decode())
    elif added:
        told = reviews[-1].review
        tell(printable(f"{told.decision} by {told.who}, of the evidence {told.evidence_sha256[:_SHORT]}…"))
        tell(f"  added to {path / 'reviews.json'}; to have it in the report: soak report {path}")
    elif reviews:
        tell("\n".join(line for each in reviews for line in _lines(each)))
    else:
        tell(f"{path}: no review (soak review {path} --accept, --reject or --note TEXT adds one)")


def _lines(each: "Reviewed") -> list[str]:
    from soak.reports.reviews import about

    review = each.review
    lines = [printable(f"{review.at}  {review.decision:8}  by {review.who}, {each.standing.value}")]
    for note in review.notes:
        lead = f"{about(note)}: " if about(note) else ""
        # A line that begins with :: is a command to GitHub Actions, indented or not.
        lines += [printable(f"    | {line}") for line in f"{lead}{note.text}".splitlines()]
    return lines
