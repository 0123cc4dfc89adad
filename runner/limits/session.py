"""One `soak limits`, from a scenario to files and a few lines."""

from contextlib import ExitStack
from pathlib import Path

from soak.runner.console import remark, tell
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.record import to_json
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.limits.course import Course
from soak.runner.limits.decision import ERROR, SequentialTest
from soak.runner.limits.findings import describe, write_points
from soak.runner.limits.parameter import Parameter
from soak.runner.limits.progress import make_progress
from soak.runner.limits.replications import LastingCrew, Replications
from soak.runner.limits.summary import summary_lines
from soak.runner.limits.variants import Variants, Wish
from soak.runner.session import INTERRUPTED, Interruption
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.evidence.limits import SCHEMA_VERSION, Limits
from soak.schemas.language.load import Loaded

FOUND, NO_LIMIT = 0, 5
LIMITS, POINTS = "limits.json", "points.csv"
MOST_PARAMETERS = 2


def search_limits(path: Path, out: Path | None, wish: Wish, *, as_json: bool) -> int:
    """Search the limits of a scenario file and tell what was found; returns the exit code. Raises SoakError."""
    limits, directory = find_limits(path, out, wish)
    tell(to_json(limits).decode() if as_json else summary_lines(limits, directory), nl=not as_json)
    if not limits.complete:
        return INTERRUPTED
    return FOUND if limits.found else NO_LIMIT


def find_limits(path: Path, out: Path | None, wish: Wish) -> tuple[Limits, Path]:
    """Search where the scenario in `path` breaks and write what comes of it; returns it and where. Raises SoakError."""
    if len(wish.vary) > MOST_PARAMETERS:
        more = "vary two at a time, and put the others to values with --set"
        raise UsageError(f"--vary stands {len(wish.vary)} times: no more than two parameters make a plane ({more})")
    variants = Variants(path, wish)
    variants.check_ends()
    name = variants.loaded.scenario.name
    directory = RunDirectory.create(out, name, under="limits")
    try:
        limits, points = _search(variants, wish, directory)
        _write(directory, variants.loaded, limits, points)
    except SoakError:
        if not any(directory.path.iterdir()):
            directory.path.rmdir()
        raise
    return limits, directory.path


def _search(variants: Variants, wish: Wish, directory: RunDirectory) -> tuple[Limits, str]:
    scenario, parameters = variants.loaded.scenario, variants.parameters
    test = SequentialTest(wish.probability, wish.most)
    paths = [parameter.path for parameter in parameters]
    remark(f"{scenario.name}: {' and '.join(map(_range, parameters))}, results in {directory.path}")
    interruption = Interruption()
    with interruption.listening(), ExitStack() as stack, make_progress(paths) as watch:
        crew = LastingCrew(wish.workers)
        stack.callback(crew.end)
        replications = Replications(crew, variants.at, scenario.seed, test, watch, interruption)
        course = Course(parameters, replications, wish.cells)
        complete = course.run()
    limits = Limits(
        schema_version=SCHEMA_VERSION,
        scenario=scenario.name,
        scenario_sha256=variants.loaded.sha256,
        seed=scenario.seed,
        duration_s=scenario.duration_s,
        settings=list(wish.settings),
        tier=wish.tier,
        probability=wish.probability,
        zone=(test.low, test.high),
        error=ERROR,
        most=wish.most,
        tolerance=wish.tolerance,
        cells=wish.cells,
        complete=complete,
        replications=replications.total,
        parameters=[describe(parameter) for parameter in parameters],
        searches=course.searches(),
        grid=course.grid(),
    )
    return limits, write_points(parameters, replications.made)


def _range(parameter: Parameter) -> str:
    low, high = parameter.text(parameter.value(0)), parameter.text(parameter.value(-1))
    return f"{parameter.path} from {low} to {high}{'' if parameter.given else ' (a range around its value)'}"


def _write(directory: RunDirectory, loaded: Loaded, limits: Limits, points: str) -> None:
    from soak.reports.limits import render_limits

    store_scenario(directory, loaded)
    directory.write(LIMITS, to_json(limits))
    directory.write(POINTS, points)
    for name, content in render_limits(limits).items():
        directory.write(name, content)
    directory.write_checksums()
