"""Verdicts, runs and scenarios as notebooks show them: a few lines of HTML without scripts.

Text has the colour of the page around it and lines are half transparent, so that it reads on light and dark pages alike. A status
is a word on a ground of its own: white on these colours has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3).
"""

from collections.abc import Iterable, Sequence
from html import escape

from soak.reports.look.palette import Role, light
from soak.schemas.errors import printable
from soak.schemas.evidence.notebook import draw_with
from soak.schemas.evidence.verdict import ObjectiveResult, Verdict
from soak.schemas.language.conditions import Objective
from soak.schemas.language.load import Loaded
from soak.schemas.language.margins import margin_words, observed_words
from soak.schemas.units import show_duration

_GROUND = {
    "PASS": light(Role.OK),
    "FAIL": light(Role.BAD),
    "ABORTED": light(Role.BAD),
    "INCONCLUSIVE": light(Role.DOUBT),
}
_NEUTRAL = light(Role.SOFT)
_LINE = "1px solid rgba(128,128,128,.4)"
_MOST_ROWS = 20
_LONGEST = 300


def verdict_line(verdict: Verdict) -> str:
    """The verdict in a line."""
    said = f"; {'; '.join(verdict.reasons)}" if verdict.reasons else ""
    return f"<soak.Verdict {verdict.headline}: {verdict.scenario}, {verdict.target}, seed {verdict.seed}{said}>"


def verdict_html(verdict: Verdict) -> str:
    """The verdict, its reasons, and each objective with its value and margin."""
    return _box(_lead(verdict.verdict.value, verdict.headline, _which(verdict)), *_verdict_parts(verdict))


def run_html(verdict: Verdict, path: str) -> str:
    """A run: its verdict, and where its evidence is."""
    where = f'<div style="opacity:.8">evidence in <code>{_text(path)}</code></div>'
    return _box(_lead(verdict.verdict.value, verdict.headline, _which(verdict)), *_verdict_parts(verdict), where)


def scenario_html(loaded: Loaded) -> str:
    """A scenario: what it runs for how long, and its objectives."""
    scenario = loaded.scenario
    lead = f"<div><b>{_text(scenario.title or scenario.name)}</b></div>"
    rows = [[_text(_objective(each))] for each in scenario.objectives[:_MOST_ROWS]]
    return _box(lead, f"<div>{_text(scenario_line(loaded))}</div>", _table(["objective"], rows) if rows else "")


def _objective(objective: Objective) -> str:
    window = "" if objective.window_s is None else f", in windows of {show_duration(objective.window_s)}"
    return f"{objective.comparison.text}{window}"


def scenario_line(loaded: Loaded) -> str:
    """A scenario in a line: system, duration, tier, seed."""
    scenario = loaded.scenario
    tier = [] if loaded.tier is None else [f"tier {loaded.tier}"]
    return ", ".join([f"system {scenario.system}", show_duration(scenario.duration_s), *tier, f"seed {scenario.seed}"])


def _which(verdict: Verdict) -> str:
    return f"{verdict.scenario}: {verdict.target}, {show_duration(verdict.duration_s)}, seed {verdict.seed}"


def _verdict_parts(verdict: Verdict) -> Iterable[str]:
    said = [*verdict.reasons, *(f"warning: {each}" for each in verdict.warned)]
    items = "".join(f"<li>{_text(each)}</li>" for each in said[:_MOST_ROWS])
    if items:
        yield f'<ul style="margin:.3em 0 .3em 1.2em;padding:0">{items}</ul>'
    rows = [_row(each) for each in verdict.objectives[:_MOST_ROWS]]
    if rows:
        yield _table(["objective", "status", "observed", "margin"], rows)
    more = len(verdict.objectives) - _MOST_ROWS
    if more > 0:
        yield f'<div style="opacity:.8">and {more} more</div>'


def _row(result: ObjectiveResult) -> list[str]:
    words = (observed_words(result), margin_words(result))
    return [_text(result.objective), _badge(result.status.value), *map(_text, words)]


def _badge(status: str, text: str = "") -> str:
    ground = _GROUND.get(status, _NEUTRAL)
    style = f"background:{ground};color:#fff;padding:.1em .5em;border-radius:.3em;font-weight:600;white-space:nowrap"
    return f'<span style="{style}">{_text(text or status)}</span>'


def _lead(status: str, headline: str, what: str) -> str:
    return f'<div style="margin-bottom:.3em">{_badge(status, headline)} {_text(what)}</div>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are HTML."""
    cell = f"text-align:left;padding:.2em .8em .2em 0;border-bottom:{_LINE};background:none;color:inherit"
    head = "".join(f'<th scope="col" style="{cell}">{_text(each)}</th>' for each in heads)
    body = "".join("".join(["<tr>", *(f'<td style="{cell}">{each}</td>' for each in row), "</tr>"]) for row in rows)
    style = "border-collapse:collapse;color:inherit;font-size:inherit;margin:.3em 0"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _box(*parts: str) -> str:
    style = f"border:{_LINE};border-radius:.4em;padding:.6em .8em;color:inherit;max-width:60em;overflow-x:auto"
    return f'<div style="{style}">{"".join(parts)}</div>'


def _text(text: str) -> str:
    return escape(printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"))


draw_with(Verdict, line=verdict_line, html=verdict_html)
