"""What `import soak` offers: load a scenario, simulate it, run it, open what a run left behind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from soak.runner.engine import Sink, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.opened import Run
from soak.runner.scenario import AnyPath, Scenario, Settings, as_options, run_to_end, simulated
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.document import Document
from soak.schemas.language.load import Loaded, Sources
from soak.schemas.language.load import load as load_file
from soak.simulation.plan import Plan


def load(
    path: AnyPath,
    *,
    tier: str | None = None,
    overlays: Iterable[AnyPath] = (),
    settings: Settings | None = None,
    seed: int | None = None,
) -> Scenario:
    """The scenario in a file, with a tier, overlays and settings applied in this order.

    Raises ScenarioError with every problem of the file, UsageError for one that cannot be read.
    """
    sources = Sources.read(Path(path), [*map(Path, overlays)])
    return Scenario.of(sources, tier=tier, settings=as_options(settings, seed))


def simulate(
    scenario: AnyPath | Loaded,
    *,
    tier: str | None = None,
    overlays: Iterable[AnyPath] = (),
    settings: Settings | None = None,
    seed: int | None = None,
    abort: bool = True,
) -> Verdict:
    """The verdict on a simulation; nothing is written. `abort`: whether abort conditions end it. Raises SoakError."""
    return simulated(_loaded(scenario, tier, overlays, settings, seed), abort=abort)


def run(
    scenario: AnyPath | Loaded,
    *,
    target: str = "simulation",
    speed: float | None = None,
    patience_s: float | None = None,
    target_options: Mapping[str, str] | None = None,
    out: AnyPath | None = None,
    tier: str | None = None,
    overlays: Iterable[AnyPath] = (),
    settings: Settings | None = None,
    seed: int | None = None,
    abort: bool = True,
    notify: bool = False,
    stop: str | None = None,
    on_remark: Callable[[str], None] | None = None,
) -> Run:
    """What `soak run` does: a sealed run directory, with its verdict. Options are those of the command.

    stop: "all" to end the run once every objective is decided, "decidable" not to wait for what only the end decides.

    Nothing is printed: `on_remark` is given each line that the command writes to standard error. In the main thread the first
    SIGINT, SIGTERM or SIGHUP ends the run: its evidence is completed, then KeyboardInterrupt is raised. Raises SoakError.
    """
    return run_to_end(
        lambda conventions: _loaded(scenario, tier, overlays, settings, seed, conventions),
        target=target,
        speed=speed,
        patience_s=patience_s,
        target_options=target_options,
        out=out,
        abort=abort,
        notify=notify,
        stop=stop,
        on_remark=on_remark,
    )


def open_run(path: AnyPath) -> Run:
    """The run in a directory that `soak run` wrote. Raises UsageError when it is not a run directory."""
    from soak.runner.evidence.directory import RunDirectory

    return Run(RunDirectory.open(Path(path)).path)


def simulate_scenario(
    scenario: Path | Loaded, *, seed: int | None = None, settings: Sequence[str] = (), sinks: Sequence[Sink] = ()
) -> tuple[Verdict, Judge]:
    """Run a scenario against the model; returns the verdict and the judge that came to it. Raises SoakError."""
    loaded = scenario if isinstance(scenario, Loaded) else load_file(scenario, settings=settings)
    plan, target = Plan(loaded.scenario, seed), Simulation()
    return execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True), sinks)


def _loaded(
    scenario: AnyPath | Loaded,
    tier: str | None,
    overlays: Iterable[AnyPath],
    settings: Settings | None,
    seed: int | None,
    conventions: Document | None = None,
) -> Loaded:
    if not isinstance(scenario, Loaded):
        options = as_options(settings, seed)
        sources = Sources.read(Path(scenario), [*map(Path, overlays)], conventions=conventions)
        return sources.load(tier=tier, settings=options)
    if tier is not None or settings or seed is not None or [*overlays]:
        what = "tier, overlays, settings and seed belong to a file"
        raise UsageError(f"{what} (give them to soak.load, or use the methods of the scenario)")
    if conventions is None:
        return scenario
    if not isinstance(scenario, Scenario):
        raise UsageError("the target file has conventions, which are laid over a file (give the path of the scenario)")
    return scenario.with_conventions(conventions)
