"""One `soak run` from file to verdict: load, execute, record, report, notify."""

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from soak.runner.cautions import warn
from soak.runner.checks.begin import checks_of, refuse_unknown
from soak.runner.ci_annotations import annotations_of
from soak.runner.console import remark, tell
from soak.runner.engine import BrokenOffError, Resumed, execute, identify
from soak.runner.evidence.directory import TARGET, RunDirectory
from soak.runner.evidence.record import Recording, to_json
from soak.runner.extras import need
from soak.runner.interruption import INTERRUPTED, Interruption
from soak.runner.job_summary import append_summary, job_summary_of
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.live_table import make_progress
from soak.runner.load.options import options_of
from soak.runner.outlets import Outlets, open_outlets
from soak.runner.output import open_if_asked, output, paint_of, plain
from soak.runner.past import Past, read_past, replay
from soak.runner.requests import requests_to
from soak.runner.targets.base import Fitting, FromFile, Reading, Selective, Simulating, Target
from soak.runner.targets.make import SIMULATION, have_load_made, make_target
from soak.runner.targets.refusals import refuse_system
from soak.runner.targets.room import system_of
from soak.schemas.errors import OutputError, SoakError, UsageError, failure_words, reason
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.files import file_name
from soak.schemas.language.document import Document
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import blame
from soak.schemas.stream.identity import Identity, target_now
from soak.schemas.target.conventions import conventions_of
from soak.schemas.units import show_duration
from soak.simulation.compiled.engine import Engine
from soak.simulation.plan import Plan


def run_scenario(
    path: Path,
    *,
    tier: str | None,
    overlays: tuple[Path, ...],
    settings: tuple[str, ...],
    target_name: str,
    replay: Path | None = None,
    speed: float | None,
    patience_s: float | None,
    out: Path | None,
    abort: bool,
    as_json: bool,
    job_summary: Path | None = None,
    notify: bool = False,
    stop: str | None = None,
    processes: int | None = None,
    locust_master: str | None = None,
    expect_workers: int | None = None,
    target_options: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> int:
    """Run a scenario file and print the verdict; returns the exit code."""
    note_former_name(target_name)
    if replay is None:
        target = make_target(target_name, speed, patience_s, target_options, engine)
    else:
        target = _recorded(replay, target_name, speed, engine)
    have_load_made(target, options_of(processes, locust_master, expect_workers))
    loaded = load(path, tier=tier, overlays=overlays, settings=settings, conventions=conventions(target))
    verdict, directory = run_loaded(loaded, target, out=out, abort=abort, notify=notify, stop=stop)
    append_summary(job_summary, job_summary_of(verdict, loaded.scenario, directory.path) if job_summary else "")
    for annotation in annotations_of(verdict, loaded):
        remark(annotation, always=True)
    return tell_verdict(loaded, verdict, directory.path, as_json=as_json)


def tell_verdict(loaded: Loaded, verdict: Verdict, directory: Path, *, as_json: bool) -> int:
    """Print the end of a run as it was asked for, open its report if asked to; returns the exit code."""
    from soak.runner.summary import headline, summary_lines

    if as_json:
        tell(to_json(verdict).decode(), nl=False)
    else:
        paint = paint_of(sys.stdout)
        quiet = output().quiet
        text = (
            f"{headline(loaded, verdict, paint)}\n{directory}"
            if quiet
            else summary_lines(loaded, verdict, directory, paint)
        )
        tell(text, color=paint is not plain)
    open_if_asked(directory / "report.html")
    return INTERRUPTED if verdict.end is End.INTERRUPTED else verdict.verdict.exit_code


def _recorded(path: Path, target_name: str, speed: float | None, engine: Engine | None) -> Target:
    from soak.runner.targets.recorded import Recorded

    if target_name != SIMULATION or speed is not None or engine not in {None, Engine.AUTO}:
        raise UsageError("--replay judges what was recorded, and runs nothing (remove --target, --speed and --engine)")
    return Recorded(path)


def run_loaded(
    loaded: Loaded, target: Target, *, out: Path | None, abort: bool, notify: bool, stop: str | None = None
) -> tuple[Verdict, RunDirectory]:
    """Run a scenario against a target, to a sealed run directory; `stop`: see `Identity`. Raises SoakError."""
    loaded = _fitted(loaded, target)
    _admit(target, loaded.scenario)
    if isinstance(target, Reading):
        target.read(loaded)
    warn(loaded)
    if loaded.scenario.telemetry.compress:
        need("zstd", "telemetry: {compress: zstd}")
    plan = Plan(loaded.scenario)
    plan.refuse_without_rows()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=abort, stop=stop)
    directory = RunDirectory.create(out, loaded.scenario.name)
    run = file_name(directory.path.resolve())
    interruption = Interruption()
    with (
        contextlib.closing(directory),
        interruption.listening(),
        open_outlets(loaded, plan, identity, run, notify=notify) as outlets,
    ):
        if target.clock == "real":
            _preflight(plan, loaded.folder, directory.path, interruption)
        outlets.begin()
        return _record(loaded, plan, target, identity, directory, interruption, outlets), directory


def note_former_name(name: str) -> None:
    """Say it, if a target has another name now."""
    if (now := target_now(name)) != name:
        remark(f"note: the target {name} is now called {now} (write --target {now})")


def conventions(target: Target) -> Document | None:
    """What of a scenario is otherwise with a target; None: nothing."""
    return conventions_of(target.target_file) if isinstance(target, FromFile) else None


def _fitted(loaded: Loaded, target: Target) -> Loaded:
    """The scenario as far as it applies to a target. Raises ScenarioError."""
    if isinstance(target, Fitting):
        loaded = target.fit(loaded)
        for name, why in (target.left_out or {}).items():
            remark(f"note: fault {name} is left out: {why}")
    return loaded


def _admit(target: Target, scenario: Scenario) -> None:
    """Raises UsageError for a scenario that the target cannot run."""
    if system := system_of(target.name):
        refuse_system(scenario, system, target.name)
    if isinstance(target, Selective):
        target.admit(scenario)
    refuse_unknown(scenario, target)
    if target.clock == "real" and scenario.repeat > 1:
        what = f"repeat: {scenario.repeat} compares simulations event by event; two real runs are never identical"
        raise UsageError(f"{what} (add --set repeat=1, and compare two runs with `soak compare`)")


def _preflight(plan: Plan, directory: Path, place: Path, interrupted: Callable[[], bool]) -> None:
    """Checks before a real run. Raises UsageError, or click.Abort when someone asked to stop."""
    from soak.runner.preflight import check_machine, run_commands

    check_machine(plan, place)
    run_commands(plan.scenario, directory, interrupted)


def finish_ended(past: Past, end: End, outlets: Outlets, began: float | None = None) -> Verdict:
    """Judge and seal a run from its recorded events; `began`: on the monotonic clock, where that is known."""
    with Recording.resume(past.directory, past.manifest, past.identity, past.plan, began) as recording:
        judge = replay(past, recording).judge
        verdict = decide(judge, past.identity, end)
        _finish(recording, verdict, judge, outlets)
    return verdict


def _record(
    loaded: Loaded,
    plan: Plan,
    target: Target,
    identity: Identity,
    directory: RunDirectory,
    interruption: Interruption,
    outlets: Outlets,
) -> Verdict:
    ran = target.ran if isinstance(target, Simulating) else None
    if ran and ran.missing:
        remark(f"note: SimPy simulates, slower and with the same result: {ran.why}")
    with Recording.start(directory, loaded, identity, plan, ran) as recording:
        remark(f"{loaded.scenario.name}: {target.name}, seed {plan.seed}, evidence in {directory.path}")
        if isinstance(target, FromFile):
            directory.write(TARGET, target.target_file.content)
        target.prepare(directory.path)
        return conduct(loaded, plan, target, identity, recording, interruption, outlets)


def conduct(
    loaded: Loaded,
    plan: Plan,
    target: Target,
    identity: Identity,
    recording: Recording,
    interruption: Interruption,
    outlets: Outlets,
    resumed: Resumed | None = None,
) -> Verdict:
    """From the first event to the sealed report."""
    try:
        asked = requests_to(recording.directory.path, plan.vocabulary, real=target.clock == "real")
        with make_progress(loaded.scenario, identity) as progress, collection_paused(target), asked as requests:
            watchers, sinks = (progress, outlets.look), (recording, *outlets.sinks, *progress.sinks)
            checks = checks_of(loaded, plan, target, recording.directory)
            verdict, judge = execute(
                plan, target, identity, sinks, watchers, interruption, resumed, checking=checks, requests=requests
            )
        _finish(recording, verdict, judge, outlets)
    except BrokenOffError as broken:
        judge, error = broken.judge, broken.__cause__
        recording.close()
        # Judged from the stream, which is all that `soak verify` has for recomputing the verdict.
        finish_ended(read_past(recording.directory), End.CUT, outlets, recording.began)
        what = failure_words(error)
        when = f"the run failed midway, at {show_duration(round(judge.until_s))} of scenario time"
        raise SoakError(f"{what}; {when}, partial evidence is judged in {recording.directory.path}") from error
    except SoakError:
        raise
    except Exception as error:
        kept = f"partial evidence is kept in {recording.directory.path}"
        kind = UsageError if blame(error) else SoakError
        raise kind(f"{failure_words(error)}; {kept} (run it again with --debug)") from error
    return verdict


def _finish(recording: Recording, verdict: Verdict, judge: Judge, outlets: Outlets) -> None:
    """Write and print the verdict, write the report, seal the evidence. Raises OutputError, which has the verdict, too."""
    from soak.runner.evidence.report import render_into
    from soak.runner.junit import FILE, verdict_cases, write_junit

    try:
        recording.finish(verdict, judge, outlets.finish(judge, verdict))
        recording.directory.write(FILE, write_junit(verdict.scenario, verdict_cases(verdict)))
        try:
            render_into(recording.directory, recording.ended())
        except (OSError, UsageError) as error:
            # Plotting needs a writable directory for temporary files, and another package's system may fail to report;
            # the verdict depends on neither.
            what = f"warning: the report was not written: {reason(error) if isinstance(error, OSError) else error}"
            remark(f"{what} (fix that and run `soak report {recording.directory.path}`)")
        recording.seal()
    except OutputError as error:
        rest = f"`soak resume {recording.directory.path}` completes its evidence"
        raise OutputError(f"{error}; the verdict is {verdict.verdict.value}, and {rest}") from None


@contextmanager
def collection_paused(target: Target) -> Iterator[None]:
    """Pause garbage collection during a simulation: it makes many small objects and no reference cycles."""
    if target.clock == "simulated":
        gc.disable()
    try:
        yield
    finally:
        gc.enable()
