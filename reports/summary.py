"""soak_summary.md and incident.md: Jinja2 templates over the data of a run directory."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec import Struct

from soak.reports import tails
from soak.reports.aftermath import read_aftermath
from soak.reports.attribution import attribution_tables, breach_words
from soak.reports.changepoints import changes_in_words
from soak.reports.data import RunData
from soak.reports.decided import section
from soak.reports.look.page import TEMPLATES as BASE
from soak.reports.look.page import prepare
from soak.reports.objectives import WORDS
from soak.reports.reviews import about, shown_reviews
from soak.reports.room import ask, room_of
from soak.reports.texts import brief
from soak.schemas.errors import EvidenceError, UsageError, reason, shortened
from soak.schemas.evidence.verdict import GrowthResult, paused_s
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_duration, show_ratio

TEMPLATES = Path(__file__).with_name("templates")
SUMMARY_TEMPLATE = "soak_summary.md.j2"
INCIDENT_TEMPLATE = "incident.md.j2"


def render_summary(run: RunData, plots: list[str], template: Path | None = None) -> str:
    """The report; `template` is a user's own, rendered in a sandbox. Raises UsageError when it fails."""
    system = run.scenario.system
    room = room_of(system)
    return render_template(
        template or TEMPLATES / SUMMARY_TEMPLATE,
        run,
        plots=plots,
        system_part=ask(system, "its part of soak_summary.md", room.summary, run).strip(),
        speed_note=ask(system, "its sentence on the speed", room.speed, run),
        resume_note=room.resumed,
        checkpoint_slis=checkpoint_slis(
            run, {"success_rate": "success rate", "latency_p50": "p50", "latency_p95": "p95", "latency_p99": "p99"}
        ),
    )


def render_incident(run: RunData, directory: Path) -> str:
    """The incident of an aborted run, whose event stream lies in `directory`."""
    stopped = [abort for abort in run.verdict.aborts if abort.stopped and abort.held_at_s is not None]
    if not stopped:
        what = "the run was aborted, and no abort condition held"
        raise EvidenceError(f"{directory / 'verdict.json'}: {what} (this evidence is damaged; see `soak verify`)")
    held = min(stopped, key=lambda each: each.held_at_s or 0.0)
    aftermath = read_aftermath(run, directory, held.held_at_s or 0.0, held.window_s)
    system = run.scenario.system
    run_book = ask(system, "its run book", room_of(system).run_book, run, aftermath).strip()
    return render_template(TEMPLATES / INCIDENT_TEMPLATE, run, aftermath=aftermath, run_book=run_book)


class CheckpointSli(Struct, frozen=True):
    """A column of the table of checkpoints."""

    name: str
    title: str
    unit: str


def checkpoint_slis(run: RunData, titles: Mapping[str, str]) -> list[CheckpointSli]:
    """Those of the SLIs in `titles` that the system has, then what else it shows while it runs."""
    headline = language_of(run.scenario.system).headline
    names = [*titles, *(name for name in headline if name not in titles)]
    slis = run.scenario.slis
    return [CheckpointSli(name, titles.get(name, name), slis[name].unit) for name in names if name in slis]


def make_environment(*, escaped: bool = False, sandboxed: bool = False) -> jinja2.Environment:
    """What templates are rendered in, with filters that format values.

    escaped: as HTML. sandboxed: for a template of somebody else.
    """
    environment = (ImmutableSandboxedEnvironment if sandboxed else jinja2.Environment)(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escaped,
        loader=jinja2.FileSystemLoader([TEMPLATES, BASE]),
        bytecode_cache=_compiled(sandboxed=sandboxed),
    )
    environment.globals["tails"] = tails
    prepare(environment)
    environment.filters.update(
        duration=show_duration,
        ratio=show_ratio,
        points=points,
        cell=_cell,
        code=_code,
        shown=shown,
        margin=_margin,
        trend=trend,
        effective=effective,
        brief=brief,
        about=about,
        **WORDS,
    )
    return environment


@cache
def _compiled(*, sandboxed: bool) -> jinja2.BytecodeCache | None:
    """Bytecode cache of the templates; compiling them takes as long as drawing a plot, and is done otherwise for a sandbox."""
    place = TEMPLATES / "__pycache__"
    try:
        place.mkdir(exist_ok=True)
    except OSError:
        return None
    pattern = "__jinja2_%s.cache" if sandboxed else "__jinja2_plain_%s.cache"
    return jinja2.FileSystemBytecodeCache(str(place), pattern) if os.access(place, os.W_OK) else None


def render_template(source: Path, run: RunData, *, escaped: bool = False, **more: object) -> str:
    """Render a template with the data of a run directory.

    Raises UsageError with the line at which a user's own template fails, EvidenceError where one of ours has no words for what
    the evidence says.
    """
    own = source.parent == TEMPLATES
    environment = make_environment(escaped=escaped, sandboxed=not own)
    environment.globals["wall_time"] = lambda t_s: wall_time(run, t_s)
    try:
        template = (
            environment.get_template(source.name)
            if own
            else environment.from_string(source.read_text(encoding="utf-8"))
        )
        return template.render(**_context(run), **more)
    except OSError as error:
        raise UsageError(f"{source}: {reason(error)} (choose a readable template)") from None
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{source}:{error.lineno}: {error.message} (correct the template)") from None
    except _FAILURES as error:
        if own:
            what = f"{run.directory}: cannot be shown by {source.name}: {type(error).__name__} {shortened(str(error))}"
            raise EvidenceError(f"{what} (this evidence is damaged; see `soak verify`)") from error
        raise UsageError(f"{source}:{_line_of(error)}: {error} (correct the template)") from None


_FAILURES = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    LookupError,
    AttributeError,
    UnicodeDecodeError,
)


def _context(run: RunData) -> dict[str, object]:
    """What every template is given."""
    return {
        **_of_faults(run),
        "run": run,
        "work": run.work,
        "words": run.task_words,
        "verdict": run.verdict,
        "scenario": run.scenario,
        "manifest": run.manifest,
        "checkpoints": run.checkpoints.checkpoints,
        "known": section(run.verdict),
        "changes": changes_in_words(run.verdict),
        "reviews": shown_reviews(run.directory),
        "caveat_count": run.caveat_count,
    }


def _of_faults(run: RunData) -> dict[str, object]:
    """What templates know of what faults cost."""
    tables = attribution_tables(run.verdict.attribution, run.work)
    return {
        "attribution": tables,
        "breach_words": breach_words(tables) if tables else "",
        "recovery_words": room_of(run.scenario.system).recovery,
    }


def _line_of(error: BaseException) -> int:
    """The template line at which rendering failed: the innermost frame of a template."""
    trace, line = error.__traceback__, 0
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _cell(text: object) -> str:
    """Text that cannot break out of a Markdown table cell."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _code(text: object) -> str:
    """Text as code in a Markdown table: unchanged except for characters that would end the code span or the cell."""
    return "`" + str(text).replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


_UNITS = frozenset(unit.value for unit in Unit)


def shown(value: float | None, unit: str, target: float | None = None) -> str:
    """A value in base units, for people; with a target, enough digits to show on which side of it the value lies."""
    if value is None:
        return "–"
    return Unit(unit).show_beside(value, target) if unit in _UNITS else f"{value:g} {unit}"


def _margin(value: float | None, unit: str, target: float | None) -> str:
    if value is None:
        return "–"
    return Unit(unit).show_margin(value, target) if unit in _UNITS else f"{value:+g} {unit}"


def points(share: float) -> str:
    """A difference of two shares, in percentage points."""
    return f"{share * 100:+.1f} points"


_UNLIKELY = 0.05
_FEW = 20


def trend(growth: GrowthResult) -> str:
    """Whether a series rises or falls by more than noise."""
    if growth.detail:
        return growth.detail
    if growth.p > _UNLIKELY:
        return f"no trend (p = {growth.p:.2g})"
    if growth.interval[0] <= 0 <= growth.interval[1]:
        return f"a trend, but the slope may be 0 (p = {growth.p:.2g})"
    return f"{'rises' if growth.slope > 0 else 'falls'} (p = {growth.p:.2g})"


def effective(growth: GrowthResult) -> str:
    """How many independent samples a slope is worth; unknown for evidence of earlier releases."""
    if growth.effective_samples is None:
        return "–"
    return f"{growth.effective_samples:,.0f}" if growth.effective_samples >= _FEW else f"{growth.effective_samples:.1f}"


def wall_time(run: RunData, t_s: float) -> str:
    """Scenario time as wall-clock time in the scenario's time zone, pauses included; for a simulation, as if it had run in real
    time: from the scenario's `start` on, if it has one. A time that no calendar has is a dash."""
    start = datetime.fromisoformat(run.manifest.started_at.replace("Z", "+00:00"))
    if run.scenario.start and run.manifest.clock != "real":
        start = run.scenario.start
    try:
        moment = start + timedelta(seconds=t_s / run.manifest.speed + paused_s(run.verdict.resumes, t_s))
        return moment.astimezone(ZoneInfo(run.scenario.timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")
    except (OverflowError, ValueError):
        return "–"
