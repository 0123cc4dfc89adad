"""One `soak calibrate`, from a request to an overlay, a check of it and a report."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from soak.runner.analysis import Analysis, dated_directory, write_analysis
from soak.runner.calibrate.check import judge_predictions, looked_at, observe, replicate
from soak.runner.calibrate.draws import uncertain
from soak.runner.calibrate.fits import Fitted, fit_durations, parameters_of
from soak.runner.calibrate.overlay import OVERLAY, SERVICE, VALUES, NewFault, values_text, write_overlay
from soak.runner.calibrate.part import Part
from soak.runner.calibrate.request import Request
from soak.runner.calibrate.shares import arrival_rates, fault_shares, own_failures, tenant_shares
from soak.runner.calibrate.source import Source, open_source
from soak.runner.calibrate.timing import Service, service_times, timings
from soak.runner.calibrate.words import header, notes
from soak.runner.evidence.directory import RunDirectory, refuse_in_run, write_whole
from soak.runner.replications.processes import ProcessPool
from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.evidence.calibration import SCHEMA_VERSION, CalibratedParameter, Calibration, Check, Taken
from soak.schemas.files import file_name
from soak.schemas.language.distributions import Empirical
from soak.schemas.language.load import load
from soak.schemas.language.windows import Window
from soak.schemas.units import show_duration
from soak.simulation.rate import rate_of

FILE, REPORT = "calibration.json", "calibration.html"
FOLDER = "calibrations"
LEAST_SERVICE_TIMES = 100
"""With fewer samples, the tail beyond the 95th percentile holds fewer than five."""
_MOST_MINUTES = 7 * 24 * 60


class Estimates(Struct, frozen=True):
    """What the part of a run that calibrates comes to."""

    part: Part
    service: Service
    fitted: Fitted
    parameters: tuple[CalibratedParameter, ...]
    new: dict[str, NewFault]


def perform(request: Request) -> Analysis[Calibration]:
    """Calibrate the model by a run, check it, and write what comes of it.

    Raises SoakError, or KeyboardInterrupt before the check is done.
    """
    source = open_source(request.run)
    if request.out:
        refuse_in_run(request.out)
    if request.copy and request.copy.exists():
        raise UsageError(f"{request.copy}: exists already (choose another --out)")
    name = source.loaded.scenario.name
    windows = _windows(source, request.hold_back)
    as_run = estimate(source, windows[0], 1.0, request)
    factor = (request.for_speed or source.speed) / source.speed
    aimed = as_run if factor == 1.0 else estimate(source, windows[0], factor, request)
    with dated_directory(None if request.copy else request.out, FOLDER, name) as directory:
        files = write_model(directory, source, aimed, request.for_speed)
        check = check_held_back(source, windows[1], as_run, request)
        calibration = _calibration(source, windows, as_run, aimed, request, check, files)
        _write_report(directory, calibration, as_run)
        if request.copy:
            for each in files:
                write_whole(request.copy if each == OVERLAY else request.copy.with_name(each), directory.read(each))
    return Analysis(calibration, directory.path, REPORT)


def _windows(source: Source, hold_back: float) -> tuple[Window, Window]:
    """The part that calibrates and the part that is held back, by when tasks were due; a warm-up is in neither."""
    scenario = source.loaded.scenario
    start_s, end_s = scenario.warmup_s, min(scenario.duration_s, source.ended_s)
    if end_s <= start_s:
        raise EvidenceError(
            f"{source.directory.path}: the run ended at {show_duration(source.ended_s)}, before any work"
        )
    cut_s = start_s + (1 - hold_back) * (end_s - start_s)
    return Window(start_s, cut_s), Window(cut_s, end_s)


def estimate(source: Source, window: Window, factor: float, request: Request) -> Estimates:
    """The parameters, from the tasks that were due in `window`. Raises EvidenceError when there is too little of them.

    What the computer itself needs counts `factor` times.
    """
    part = Part.of(source.loaded.scenario, source.vocabulary, source.events, window, source.ended_s, factor)
    service = service_times(part, source.speed)
    _refuse_too_few(source, window, len(service.held_s), request.hold_back)
    own = list(own_failures(part))
    parameters = (*arrival_rates(part), *tenant_shares(part), *timings(part), *fault_shares(part))
    if request.estimates:
        parameters = tuple(map(_taken, parameters))
    return Estimates(
        part,
        service,
        fit_durations(service.held_s),
        (*parameters, *(each for each, _, _ in own)),
        {each.key.removeprefix("faults.").removesuffix(".rate"): (kind, errors) for each, kind, errors in own},
    )


def _taken(parameter: CalibratedParameter) -> CalibratedParameter:
    if parameter.taken is not Taken.SCENARIO:
        return parameter
    return msgspec.structs.replace(parameter, taken=Taken.RUN, value=parameter.estimate)


def _refuse_too_few(source: Source, window: Window, count: int, hold_back: float) -> None:
    if count >= LEAST_SERVICE_TIMES:
        return
    needed_s = _long_enough(source, window, count, hold_back) if count else None
    needed = f"; at this rate a run of {show_duration(needed_s)} is long enough" if needed_s else ""
    raise EvidenceError(
        f"{source.directory.path}: too few observations: {count} of at least {LEAST_SERVICE_TIMES} attempts succeeded "
        f"in the {show_duration(window.end_s - window.start_s)} used for calibration{needed} (run it longer, or hold back less)"
    )


def _long_enough(source: Source, window: Window, count: int, hold_back: float) -> float | None:
    """The whole minutes, in seconds, after which the plan will have offered enough, with a tenth to spare."""
    scenario = source.loaded.scenario
    lengths_s = 60.0 * np.arange(1, _MOST_MINUTES)
    cuts_s = window.start_s + (1 - hold_back) * np.maximum(0.0, lengths_s - window.start_s)
    start, end, *cuts = rate_of(scenario.workload).expected(np.array([window.start_s, window.end_s, *cuts_s]))
    wanted = 1.1 * LEAST_SERVICE_TIMES / count * (end - start)
    enough = np.flatnonzero(np.array(cuts) - start >= wanted)
    return float(lengths_s[enough[0]]) if len(enough) else None


def write_model(directory: RunDirectory, source: Source, estimates: Estimates, for_speed: float | None) -> list[str]:
    """Write the overlay, and the values of an empirical distribution beside it; returns the names of the files."""
    fitted = estimates.fitted
    text = write_overlay(
        header(source, estimates.part.window, for_speed),
        fitted,
        len(estimates.service.held_s),
        estimates.parameters,
        estimates.new,
    )
    directory.write(OVERLAY, text)
    if not isinstance(fitted.distribution, Empirical):
        return [OVERLAY]
    directory.write(VALUES, values_text(fitted.distribution))
    return [OVERLAY, VALUES]


def check_held_back(source: Source, held: Window, estimates: Estimates, request: Request) -> Check:
    """Whether the scenario with the estimates, as the run was, predicts what happened in the part that was held back."""
    scenario = looked_at(source.loaded.scenario, held, whole=source.whole)
    reader, vocabulary = source.reader(scenario)
    observed, tasks = observe(scenario, vocabulary, reader.identity, reader.blocks())
    with tempfile.TemporaryDirectory() as scratch:
        write_model(RunDirectory(Path(scratch)), source, estimates, None)
        calibrated = load(source.loaded.source, overlays=[Path(scratch) / OVERLAY]).scenario
    versions = uncertain(looked_at(calibrated, held, whole=source.whole), estimates.fitted, estimates.parameters)
    rows = replicate(versions, request.replications, request.seed, _arrivals(source, estimates), ProcessPool())
    return judge_predictions(scenario, observed, tasks, rows, request.least)


def _arrivals(source: Source, estimates: Estimates) -> int | None:
    """The seed of the run's own arrivals; None where they are not those of its scenario."""
    own = all(p.taken is not Taken.RUN for p in estimates.parameters if p.key.startswith("workload.arrivals."))
    return source.identity.seed if own else None


def _calibration(
    source: Source,
    windows: tuple[Window, Window],
    as_run: Estimates,
    aimed: Estimates,
    request: Request,
    check: Check,
    files: Sequence[str],
) -> Calibration:
    identity, part = source.identity, as_run.part
    return Calibration(
        schema_version=SCHEMA_VERSION,
        scenario=identity.scenario,
        scenario_sha256=identity.scenario_sha256,
        run=file_name(source.directory.path.resolve()),
        target=identity.target,
        clock=identity.clock,
        seed=identity.seed,
        end=source.end.value,
        speed=source.speed,
        for_speed=request.for_speed or source.speed,
        from_s=windows[0].start_s,
        cut_s=windows[0].end_s,
        to_s=windows[1].end_s,
        tasks=len(part.due_s()[0]),
        attempts=int(part.mine.sum()),
        service=list(as_run.fitted.fits),
        chosen=as_run.fitted.name,
        service_observations=len(as_run.service.held_s),
        overheads=list(as_run.service.overheads),
        parameters=[*_service_parameters(source, as_run, aimed), *_with_values(as_run, aimed)],
        notes=list(notes(source, windows, as_run.service, as_run.fitted)),
        check=check,
        files=list(files),
    )


def _with_values(as_run: Estimates, aimed: Estimates) -> Iterator[CalibratedParameter]:
    """What was observed, with the values that the overlay holds."""
    for observed, told in zip(as_run.parameters, aimed.parameters, strict=True):
        yield msgspec.structs.replace(observed, value=told.value)


def _service_parameters(source: Source, as_run: Estimates, aimed: Estimates) -> Iterator[CalibratedParameter]:
    planned = source.loaded.scenario.workload.service
    known = parameters_of(planned) if type(planned) is type(as_run.fitted.distribution) else {}
    values, aimed_values = parameters_of(as_run.fitted.distribution), parameters_of(aimed.fitted.distribution)
    for key, interval in as_run.fitted.intervals.items():
        yield CalibratedParameter(
            key=f"{SERVICE}.{key}",
            unit="s",
            scenario=known.get(key),
            estimate=values[key],
            low=interval.low,
            high=interval.high,
            observations=len(as_run.service.held_s),
            taken=Taken.RUN,
            value=aimed_values.get(key),
            detail=f"{as_run.fitted.name}, of attempts that went well",
        )


def _write_report(directory: RunDirectory, calibration: Calibration, estimates: Estimates) -> None:
    from soak.reports.calibration import render_calibration
    from soak.reports.pages.calibration import calibration_page

    drawn = (calibration, estimates.service.held_s, estimates.fitted.distribution)
    rendered = {**render_calibration(*drawn), REPORT: calibration_page(*drawn)}
    write_analysis(directory, FILE, calibration, rendered)
