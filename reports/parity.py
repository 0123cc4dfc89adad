"""parity.md, its plot, and the lines for a terminal: how two runs of the same scenario compare."""

import matplotlib as mpl

from soak.reports.plots import parity as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.parity import Agreement, Figure, Latencies, Parity, TaskCounts
from soak.schemas.language.expression import Unit

TEMPLATE = "parity.md.j2"
PLOT = "parity.svg"
_WORDS = {
    Agreement.AGREES: "the runs agree",
    Agreement.EXPLAINED: "they differ by no more than this host's overhead explains",
    Agreement.DIFFERS: "the runs do not agree",
    Agreement.NOT_COMPARED: "there is nothing to compare",
}


def render_parity(parity: Parity, latencies: Latencies) -> dict[str, bytes]:
    """The readable files of the comparison by name."""
    environment = make_environment()
    environment.filters.update(signed=_signed)
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = environment.from_string(text).render(parity=parity, agreement=agreement(parity), plot=PLOT)
    with mpl.rc_context(STYLE):
        return {"parity.md": markdown.encode(), PLOT: plot.plot(parity, latencies)}


def _signed(figure: Figure) -> str:
    """The difference of a figure, signed if it has a direction."""
    if figure.difference is None:
        return "–"
    text = Unit(figure.unit).show(figure.difference)
    directed = figure.base is not None or figure.unit != Unit.RATIO
    return f"+{text}" if directed and figure.difference > 0 else text


def summary_words(parity: Parity) -> str:
    """The answer as a sentence without its end."""
    words = _WORDS[parity.status]
    return f"{words[0].upper()}{words[1:]}"


def agreement(parity: Parity) -> tuple[int, int]:
    """How many figures agree, and how many were compared."""
    compared = [figure for figure in parity.figures if figure.status is not Agreement.NOT_COMPARED]
    return sum(figure.status is Agreement.AGREES for figure in compared), len(compared)


def summary_lines(parity: Parity) -> str:
    """The comparison for a terminal."""
    counts, sides = parity.tasks, f"{parity.base.target} and {parity.run.target}"
    agreeing, compared = agreement(parity)
    return "\n".join(
        [
            f"{parity.status.value}  {parity.scenario}: {_WORDS[parity.status]} ({sides}, seed {parity.seed})",
            f"  {agreeing} of {compared} figures within their tolerance",
            *([_tasks(counts)] if counts.seen else []),
            *(f"  {reason}" for reason in parity.reasons),
        ]
    )


def _tasks(counts: TaskCounts) -> str:
    same = f"{counts.same_state:,} of {counts.seen:,} tasks in the same state"
    return f"  {same}, {counts.same_attempts:,} of {counts.accepted_in_both:,} with the same number of attempts"
