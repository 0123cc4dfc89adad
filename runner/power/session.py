"""One `soak power`, from a request to files and a result."""

from collections.abc import Sequence
from functools import partial
from itertools import islice

from soak.runner.analysis import Analysis, dated_directory, write_analysis
from soak.runner.console import remark
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.interruption import Interruption, listening
from soak.runner.power.assessment import assess
from soak.runner.power.pilot import LEAST, samples_of
from soak.runner.power.request import Request
from soak.runner.power.violations import ViolationRequest, parse_violations
from soak.runner.replications.aside import aside
from soak.runner.replications.preload import loading
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.replication import Replication, jobs
from soak.runner.replications.series import series
from soak.schemas.errors import UsageError
from soak.schemas.evidence.false_alarms import FalseAlarm
from soak.schemas.evidence.power import SCHEMA_VERSION, ObjectivePower, PowerReport
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration
from soak.simulation.alarm_remedies import false_alarms

FILE, REPORT = "power.json", "power.html"
_REPORTS = ("soak.reports.pages.power", "soak.reports.power")
_HOUR_S = 3600.0


def perform(request: Request) -> Analysis[PowerReport]:
    """What the objectives of a scenario detect; writes it. Raises SoakError, or KeyboardInterrupt before all is made."""
    loaded = request.scenario.load()
    scenario = loaded.scenario
    if not scenario.objectives:
        raise UsageError(f"{loaded.source}: has no objectives: there is nothing to detect (write some under slos:)")
    if request.replications < LEAST:
        raise UsageError(f"-n {request.replications} is too few to know how runs vary (write {LEAST} or more)")
    violations = parse_violations(request.violations, scenario.objectives)
    with dated_directory(request.out, "power", scenario.name) as directory, listening() as interrupted:
        # What needs no pilot takes as long as one.
        with aside(partial(false_alarms, scenario)) as alarms:
            made = _pilot(scenario, request, interrupted)
            report = _report(loaded, made, violations, request.power, alarms())
        from soak.reports.pages.power import power_page
        from soak.reports.power import render_power

        store_scenario(directory, loaded)
        write_analysis(directory, FILE, report, {**render_power(report), REPORT: power_page(report)})
    return Analysis(report, directory.path, REPORT)


def _pilot(scenario: Scenario, request: Request, interrupted: Interruption) -> list[Replication]:
    count = request.replications
    remark(f"{scenario.name}: {count} replications of {show_duration(scenario.duration_s)}")
    made: list[Replication] = []
    wanted = islice(jobs(scenario, scenario.seed, detailed=True), count)
    pool = ProcessPool(request.jobs)
    with loading(*_REPORTS), series(pool, wanted, count, interrupted=interrupted) as (results, show):
        for each in results:
            made.append(each)
            show(len(made), "")
    if len(made) < count:
        raise KeyboardInterrupt
    return made


def _report(
    loaded: Loaded,
    made: Sequence[Replication],
    violations: Sequence[ViolationRequest],
    power: float,
    alarms: Sequence[FalseAlarm],
) -> PowerReport:
    scenario = loaded.scenario
    hours = (scenario.duration_s - scenario.warmup_s) / _HOUR_S
    samples = samples_of(scenario.objectives, made, hours)
    objectives = [
        assess(sample, [each for each in violations if each.objective is sample.objective], power, scenario)
        for sample in samples
    ]
    missed = [each for each in violations if not _seen(objectives, scenario.objectives.index(each.objective))]
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
        seen=not missed,
        objectives=objectives,
        false_alarms=false_alarms(
            scenario, {each.objective.comparison.text: each.observations for each in samples}, alarms
        ),
    )


def _seen(objectives: Sequence[ObjectivePower], index: int) -> bool:
    found = objectives[index].violations
    return bool(found) and all(each.enough for each in found)
