"""One `soak power`, from a scenario file to files and a few lines."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from soak.reports.power import duration_words, render_power, size_words
from soak.runner.console import remark
from soak.runner.evidence.directory import RunDirectory, refuse_in_run
from soak.runner.evidence.record import to_json
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.power.assessment import assess
from soak.runner.power.pilot import LEAST, samples_of
from soak.runner.power.violations import Asked, parse_violations
from soak.runner.replications.replication import Replication, jobs
from soak.runner.replications.worker_pool import LocalCrew, in_order
from soak.schemas.errors import UsageError
from soak.schemas.evidence.power import SCHEMA_VERSION, ObjectivePower, PowerReport
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded, load
from soak.schemas.units import show_duration, show_ratio

POWER = "power.json"
_HOUR_S = 3600.0
_STEPS, _WIDEST = 10, 60


def assess_scenario(
    path: Path,
    out: Path | None,
    *,
    tier: str | None,
    overlays: Sequence[Path],
    settings: tuple[str, ...],
    violations: Sequence[str],
    power: float,
    replications: int,
    workers: int | None,
) -> tuple[PowerReport, Path]:
    """What the objectives of a scenario see; writes it, and returns it and where. Raises SoakError."""
    loaded = load(path, tier=tier, overlays=overlays, settings=settings)
    scenario = loaded.scenario
    if not scenario.objectives:
        raise UsageError(f"{path}: has no objectives: there is nothing to see (write some under slos:)")
    if replications < LEAST:
        raise UsageError(f"-n {replications} is too few to tell how runs vary (write {LEAST} or more)")
    asked = parse_violations(violations, scenario.objectives)
    if out:
        refuse_in_run(out)
    directory = RunDirectory.create(out, scenario.name, under="power")
    with closing(directory):
        made = _pilot(loaded, replications, workers)
        report = _report(loaded, made, asked, power)
        _write(directory, loaded, report)
    return report, directory.path


def _pilot(loaded: Loaded, count: int, workers: int | None) -> list[Replication]:
    remark(f"{loaded.scenario.name}: {count} replications of {show_duration(loaded.scenario.duration_s)}")
    made: list[Replication] = []
    wanted = islice(jobs(loaded.scenario, loaded.scenario.seed, detailed=True), count)
    with closing(LocalCrew(workers)) as crew:
        for each in in_order(crew, wanted):
            made.append(each)
            if len(made) * _STEPS // count > (len(made) - 1) * _STEPS // count:
                remark(f"  {len(made)} of {count} replications")
    return made


def _report(loaded: Loaded, made: Sequence[Replication], asked: Sequence[Asked], power: float) -> PowerReport:
    scenario = loaded.scenario
    hours = (scenario.duration_s - scenario.warmup_s) / _HOUR_S
    objectives = [
        assess(sample, [each for each in asked if each.objective is sample.objective], power, scenario)
        for sample in samples_of(scenario.objectives, made, hours)
    ]
    wanted = [each for each in asked if not _seen(objectives, scenario.objectives.index(each.objective))]
    return PowerReport(
        schema_version=SCHEMA_VERSION,
        scenario=scenario.name,
        title=scenario.title,
        scenario_sha256=loaded.sha256,
        duration_s=scenario.duration_s,
        warmup_s=scenario.warmup_s,
        seed=scenario.seed,
        replications=len(made),
        aborted=sum(each.verdict is Outcome.ABORTED for each in made),
        power=power,
        seen=not wanted,
        objectives=objectives,
    )


def _seen(objectives: Sequence[ObjectivePower], index: int) -> bool:
    found = objectives[index].violations
    return bool(found) and all(each.enough for each in found)


def _write(directory: RunDirectory, loaded: Loaded, report: PowerReport) -> None:
    store_scenario(directory, loaded)
    directory.write(POWER, to_json(report))
    for name, content in render_power(report).items():
        directory.write(name, content)
    directory.write_checksums()


def summary_lines(report: PowerReport, directory: Path) -> str:
    """The whole of it for a terminal."""
    width = min(_WIDEST, max(len(each.objective) for each in report.objectives))
    lines = [
        f"{report.title or report.scenario}: {show_duration(report.duration_s)}, violations seen with {show_ratio(report.power)}",
        "",
        f"  {'objective':{width}} {'observations':>12}  {'smallest seen':18} {'violation':18} shortest duration",
    ]
    for objective in report.objectives:
        lines += _objective_lines(objective, report, width)
    if any(not violation.asked for each in report.objectives for violation in each.violations):
        lines += ["", "  * a default: name another with --violation"]
    if report.aborted:
        lines += ["", f"  {report.aborted} of {report.replications} replications were aborted and do not count"]
    return "\n".join([*lines, "", f"  report: {directory / 'power.md'}"])


def _objective_lines(objective: ObjectivePower, report: PowerReport, width: int) -> Iterator[str]:
    head = f"  {objective.objective:{width}} {objective.observations:>12,.0f}"
    if objective.method is None:
        yield f"{head}  no statement: {objective.reason}"
        return
    smallest = "none" if objective.smallest is None else size_words(objective, objective.smallest)
    for violation in objective.violations:
        size = size_words(objective, violation.size) + ("" if violation.asked else " *")
        yield f"{head}  {smallest:18} {size:18} {duration_words(violation, report)}"
        head, smallest = " " * len(head), ""
    if not objective.violations:
        yield f"{head}  {smallest:18} {'name one':18} (--violation)"
