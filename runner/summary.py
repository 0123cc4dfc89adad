"""The end of a run for a terminal: what ran, the verdict and why, each objective with its margin, and what to do next.

It is not longer than a screen: the report has the rest.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from soak.reports.changepoints import changes_in_words
from soak.reports.decided import summary as decided_line
from soak.runner.attribution_line import attribution_line
from soak.runner.evidence.directory import TARGET
from soak.runner.explained import reasons_explained
from soak.runner.last_run import last_run
from soak.runner.margin_bar import margin_bar, share_words, used
from soak.runner.output import TONES, Paint, Tone, plain
from soak.runner.targets.make import can_go_on
from soak.runner.targets.room import room_of
from soak.runner.worked_on import worked_on
from soak.schemas.errors import printable
from soak.schemas.evidence.verdict import End, ObjectiveResult, Outcome, Status, Verdict
from soak.schemas.language.load import Loaded
from soak.schemas.language.margins import margin_words, observed_words
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_duration

MOST_OBJECTIVES, MOST_REASONS, MOST_BELOW, MOST_NAMES = 14, 4, 5, 3
"""Of objectives, reasons, lines that explain one, and names of what was not judged: how many are shown at most."""

_WIDTHS = (4, 30, 8)
"""The least widths of status, objective and value."""


def headline(loaded: Loaded, verdict: Verdict, paint: Paint = plain) -> str:
    """The verdict in a line."""
    tone = TONES[verdict.verdict.value]
    return f"{paint(verdict.headline, tone)}  {printable(loaded.scenario.title or verdict.scenario)}"


def summary_lines(loaded: Loaded, verdict: Verdict, directory: Path, paint: Paint = plain) -> str:
    """The end of a run: the verdict comes first, commands to copy come last."""
    called = language_of(loaded.scenario.system).tasks
    lines = [
        "",
        headline(loaded, verdict, paint),
        f"  {paint(_ran(verdict), Tone.SOFT)}",
        *([f"  {called.simulated}"] if called and verdict.clock == "simulated" else []),
        *_why(loaded, verdict, paint),
        *_remarks(verdict, paint),
        "",
        *_objectives(verdict, paint),
        *_work(loaded, verdict),
        "",
        f"  report: {directory / 'report.html'}",
        *_next(loaded, verdict, directory, paint),
    ]
    return "\n".join(lines)


def _ran(verdict: Verdict) -> str:
    """Scenario, target, seed and length."""
    planned = show_duration(verdict.duration_s)
    length = planned if verdict.ended_s >= verdict.duration_s else f"{_at(verdict.ended_s)} of {planned}"
    return f"{verdict.scenario}: {printable(verdict.target)}, seed {verdict.seed}, {length} of scenario time"


def _why(loaded: Loaded, verdict: Verdict, paint: Paint) -> Iterator[str]:
    """The first reasons, each with what explains it."""
    tone = TONES[verdict.verdict.value]
    reasons = list(reasons_explained(verdict, language_of(loaded.scenario.system).tasks))
    for text, below in reasons[:MOST_REASONS]:
        yield f"  {paint(printable(text), tone)}"
        yield from below[:MOST_BELOW]
        if len(below) > MOST_BELOW:
            yield "    … more is in the report"
    if (more := len(reasons) - MOST_REASONS) > 0:
        yield f"  … and {more} more reason{'s' * (more > 1)}: see the report"


def _remarks(verdict: Verdict, paint: Paint) -> Iterator[str]:
    for each in _cut([f"warning: {printable(each)}" for each in verdict.warned], MOST_REASONS):
        yield f"  {paint(each, Tone.DOUBT)}"
    for each in _cut([f"thin: {caveat}" for caveat in verdict.caveats], MOST_REASONS):
        yield f"  {each}"
    if verdict.not_judged:
        yield f"  not judged in a simulation: {', '.join(_cut(verdict.not_judged, MOST_NAMES, '{} more'))}"
    for fault in verdict.left_out:
        yield f"  left out: fault {printable(fault.name)}: {printable(fault.detail)}"


def _cut(texts: Sequence[str], most: int, more: str = "… and {} more: see the report") -> list[str]:
    left = len(texts) - most
    return [*texts] if left <= 1 else [*texts[:most], more.format(left)]


def _objectives(verdict: Verdict, paint: Paint) -> Iterator[str]:
    """A table: how each objective came out, the value, the share of the limit that is used, the margin."""
    chosen = _tightest(verdict.objectives, MOST_OBJECTIVES)
    rows = [(each, _cells(each)) for each in chosen]
    widths = [max([least, *(len(cells[place]) for _, cells in rows)]) for place, least in enumerate(_WIDTHS)]
    if rows:
        heads = f"{'':{widths[0]}}  {'objective':{widths[1]}}  {'observed':>{widths[2]}}  used of its limit      margin"
        yield f"  {paint(heads, Tone.SOFT)}"
    for each, (status, name, value, beside) in rows:
        painted = paint(f"{status:{widths[0]}}", TONES.get(each.status.value, Tone.SOFT))
        bar = beside if each.status is Status.NOT_APPLICABLE else f"{_bar(each, paint)}  {beside}"
        yield f"  {painted}  {name:{widths[1]}}  {value:>{widths[2]}}  {bar}".rstrip()
    if (more := len(verdict.objectives) - len(chosen)) > 0:
        yield f"  … and {more} more that use less of their limit: see the report"


def _tightest(objectives: Sequence[ObjectiveResult], most: int) -> list[ObjectiveResult]:
    """Those that are shown, in their order: what does not hold, then what uses most of its limit."""
    order = {Status.PASS: 1, Status.NOT_APPLICABLE: 2}
    ranked = sorted(objectives, key=lambda each: (order.get(each.status, 0), -(used(each) or 0.0)))
    kept = {id(each) for each in ranked[: most + (len(ranked) == most + 1)]}
    return [each for each in objectives if id(each) in kept]


def _cells(each: ObjectiveResult) -> tuple[str, str, str, str]:
    """Status, objective, value, and what stands at the end."""
    value = observed_words(each)
    if each.status is Status.NOT_APPLICABLE:
        return "n/a", printable(each.objective), value, printable(each.detail)
    return each.status.value, printable(each.objective), value, margin_words(each)


def _bar(each: ObjectiveResult, paint: Paint) -> str:
    share = used(each)
    if share is None:
        return " " * 21
    bar = margin_bar(share, full=_block("█", "#"), empty=_block("·", "."))
    return f"{paint(bar, TONES.get(each.status.value, Tone.SOFT))} {share_words(share):>4}"


def _block(character: str, instead: str) -> str:
    """A character, or what stands for it where standard output cannot encode it."""
    try:
        character.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return instead
    return character


def _work(loaded: Loaded, verdict: Verdict) -> Iterator[str]:
    """What became of the work, what was slow or failed, and what happened meanwhile."""
    language = language_of(loaded.scenario.system)
    yield ""
    yield f"  {worked_on(verdict, language)}"
    lines = [
        *_failures(verdict),
        *_slowest(verdict),
        *changes_in_words(verdict).lines,
        decided_line(verdict),
        attribution_line(verdict, language.work),
    ]
    for each in filter(None, lines):
        yield f"  {printable(each)}"


def _failures(verdict: Verdict) -> Iterator[str]:
    """Attempts that failed, by their errors."""
    counts = sorted(verdict.errors.items(), key=lambda each: -each[1])
    if total := sum(verdict.errors.values()):
        shown = _cut([f"{printable(name)} {count:,}" for name, count in counts if count], MOST_NAMES, "{} more")
        yield f"{total:,} failed attempt{'s' * (total > 1)}: {', '.join(shown)}"


def _slowest(verdict: Verdict) -> Iterator[str]:
    if verdict.slowest:
        slow = verdict.slowest[0]
        yield f"slowest: {show_duration(round(slow.latency_s, 1))} (task {slow.task}, until {_at(slow.ended_s)})"


def _at(t_s: float) -> str:
    return show_duration(round(t_s))


def _next(loaded: Loaded, verdict: Verdict, directory: Path, paint: Paint) -> Iterator[str]:
    """Commands to copy."""
    here = shlex.quote(str(directory))
    commands = [(f"soak report {here} --open", "the report in a browser")]
    if before := last_run(directory, verdict.scenario):
        commands.append((f"soak compare {shlex.quote(str(before))} {here}", "against the run before"))
    if verdict.verdict is Outcome.ABORTED:
        commands.append((f"soak incident {here}", "what is left to fill in"))
    commands.append((f"soak verify {here}", "recompute the verdict"))
    width = max(len(command) for command, _ in commands)
    yield from _to_continue(loaded, verdict, directory)
    yield "  next:"
    for command, what in commands:
        yield f"    {command:{width}}  {paint(f'# {what}', Tone.SOFT)}"


def _to_continue(loaded: Loaded, verdict: Verdict, directory: Path) -> Iterator[str]:
    lasting = all(fault.spec.resumable for fault in loaded.scenario.faults)
    if verdict.end not in {End.INTERRUPTED, End.CUT} or not lasting:
        return
    if can_go_on(verdict.target):
        yield f"  to continue: soak resume {directory}"
    elif (directory / TARGET).exists() and room_of(loaded.scenario.system).files_resumable:
        yield f"  to continue: soak resume {directory} --target FILE"
