"""What `import soak` offers: load a scenario, simulate it, run it, open what a run left behind."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import click

from soak.runner.console import heard_by
from soak.runner.engine import Sink, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.opened import Run
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.document import Document
from soak.schemas.language.load import Loaded
from soak.schemas.language.load import load as load_file
from soak.simulation.plan import Plan

AnyPath: TypeAlias = str | os.PathLike[str]
Settings: TypeAlias = Mapping[str, object]
"""What is replaced in a scenario, by its path: `{"queue.workers": 2, "duration": "2h"}`; text is read as `--set` reads it."""


def load(
    path: AnyPath,
    *,
    tier: str | None = None,
    overlays: Iterable[AnyPath] = (),
    settings: Settings | None = None,
    seed: int | None = None,
) -> Loaded:
    """The scenario in a file, with a tier, overlays and settings applied in this order.

    Raises ScenarioError with every problem of the file, UsageError for one that cannot be read.
    """
    return load_file(Path(path), tier=tier, overlays=[*map(Path, overlays)], settings=_as_options(settings, seed))


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
    loaded = _loaded(scenario, tier, overlays, settings, seed)
    return _simulated(loaded, None, (), abort=abort)[0]


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
    from soak.runner.session import conventions, note_former_name, run_loaded
    from soak.runner.targets.make import make_target

    with heard_by(on_remark or _nobody):
        note_former_name(target)
        driven = make_target(target, speed, patience_s, target_options)
        loaded = _loaded(scenario, tier, overlays, settings, seed, conventions(driven))
        place = None if out is None else Path(out)
        try:
            verdict, directory = run_loaded(loaded, driven, out=place, abort=abort, notify=notify, stop=stop)
        except click.Abort:
            raise KeyboardInterrupt from None
    if verdict.end is End.INTERRUPTED:
        raise KeyboardInterrupt
    return Run(directory.path)


def open_run(path: AnyPath) -> Run:
    """The run in a directory that `soak run` wrote. Raises UsageError when it is not a run directory."""
    from soak.runner.evidence.directory import RunDirectory

    return Run(RunDirectory.open(Path(path)).path)


def simulate_scenario(
    scenario: Path | Loaded, *, seed: int | None = None, settings: Sequence[str] = (), sinks: Sequence[Sink] = ()
) -> tuple[Verdict, Judge]:
    """Run a scenario against the model; returns the verdict and the judge that came to it. Raises SoakError."""
    loaded = scenario if isinstance(scenario, Loaded) else load_file(scenario, settings=settings)
    return _simulated(loaded, seed, sinks, abort=True)


def _simulated(loaded: Loaded, seed: int | None, sinks: Sequence[Sink], *, abort: bool) -> tuple[Verdict, Judge]:
    plan, target = Plan(loaded.scenario, seed), Simulation()
    return execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=abort), sinks)


def _loaded(
    scenario: AnyPath | Loaded,
    tier: str | None,
    overlays: Iterable[AnyPath],
    settings: Settings | None,
    seed: int | None,
    conventions: Document | None = None,
) -> Loaded:
    if not isinstance(scenario, Loaded):
        paths = [*map(Path, overlays)]
        options = _as_options(settings, seed)
        return load_file(Path(scenario), tier=tier, overlays=paths, settings=options, conventions=conventions)
    if conventions is not None:
        raise UsageError("the target file has conventions, which are laid over a file (give the path of the scenario)")
    if tier is not None or settings or seed is not None or [*overlays]:
        raise UsageError("tier, overlays, settings and seed belong to a file (give them to soak.load)")
    return scenario


def _as_options(settings: Settings | None, seed: int | None) -> tuple[str, ...]:
    """Settings as `--set` has them."""
    given = {**(settings or {}), **({} if seed is None else {"seed": seed})}
    return tuple(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items())


def _nobody(_: str) -> None:
    """Whom nobody asked for is told nothing."""
