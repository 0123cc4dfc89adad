"""A scenario as `soak.load` gives it: what it says, what a simulation of it gives, a run of it."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeAlias

import click
from msgspec.structs import replace

from soak.runner.console import heard_by
from soak.runner.engine import execute, identify
from soak.runner.notebook import scenario_html, scenario_line
from soak.runner.opened import Run
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.document import Document
from soak.schemas.language.load import Loaded, Sources
from soak.simulation.plan import Plan

AnyPath: TypeAlias = str | os.PathLike[str]
Settings: TypeAlias = Mapping[str, object]
"""What is replaced in a scenario, by its path: `{"queue.workers": 2, "duration": "2h"}`; text is read as `--set` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scenario(Loaded):
    """A scenario with a tier, overlays and settings applied, and what can be done with it. Its files were read once."""

    sources: Sources = field(compare=False)
    """The files that it was made of."""

    @classmethod
    def of(cls, sources: Sources, *, tier: str | None = None, settings: tuple[str, ...] = ()) -> "Scenario":
        """The scenario in these files. Raises ScenarioError with every problem."""
        loaded = sources.load(tier=tier, settings=settings)
        return cls(**{each.name: getattr(loaded, each.name) for each in fields(Loaded)}, sources=sources)

    def changed(self, *, settings: Settings | None = None, seed: int | None = None) -> "Scenario":
        """The same with further settings; those of before are kept where they are not replaced. Raises ScenarioError."""
        if not settings and seed is None:
            return self
        options = as_options(settings, seed)
        replaced = {each.partition("=")[0] for each in options}
        kept = [each for each in self.settings if each.partition("=")[0] not in replaced]
        return Scenario.of(self.sources, tier=self.tier, settings=(*kept, *options))

    def simulate(self, *, seed: int | None = None, settings: Settings | None = None, abort: bool = True) -> Verdict:
        """The verdict on a simulation; nothing is written. `abort`: whether abort conditions end it. Raises SoakError."""
        return simulated(self.changed(settings=settings, seed=seed), abort=abort)

    def run(
        self,
        *,
        target: str = "simulation",
        seed: int | None = None,
        settings: Settings | None = None,
        speed: float | None = None,
        patience_s: float | None = None,
        target_options: Mapping[str, str] | None = None,
        out: AnyPath | None = None,
        abort: bool = True,
        notify: bool = False,
        stop: str | None = None,
        on_remark: Callable[[str], None] | None = None,
    ) -> Run:
        """A run with a sealed run directory; the options are those of `soak.run`. Raises SoakError."""
        changed = self.changed(settings=settings, seed=seed)
        return run_to_end(
            lambda conventions: changed if conventions is None else changed.with_conventions(conventions),
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

    def with_conventions(self, conventions: Document) -> "Scenario":
        """The same with what is otherwise with a target, laid over the file before overlays and settings are."""
        return Scenario.of(replace(self.sources, conventions=conventions), tier=self.tier, settings=self.settings)

    def __repr__(self) -> str:
        return f"<soak.Scenario {self.scenario.name}: {scenario_line(self)}>"

    def _repr_html_(self) -> str:
        return scenario_html(self)


def simulated(loaded: Loaded, *, abort: bool) -> Verdict:
    """The verdict on a simulation. Raises SoakError."""
    plan, target = Plan(loaded.scenario), Simulation()
    return execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=abort), ())[0]


def run_to_end(
    load: Callable[[Document | None], Loaded],
    *,
    target: str,
    speed: float | None,
    patience_s: float | None,
    target_options: Mapping[str, str] | None,
    out: AnyPath | None,
    abort: bool,
    notify: bool,
    stop: str | None,
    on_remark: Callable[[str], None] | None,
) -> Run:
    """What `soak.run` does. `load`: the scenario, given what is otherwise with the target. Raises as that does."""
    from soak.runner.session import conventions, note_former_name, run_loaded
    from soak.runner.targets.make import make_target

    with heard_by(on_remark or _nobody):
        note_former_name(target)
        driven = make_target(target, speed, patience_s, target_options)
        loaded = load(conventions(driven))
        place = None if out is None else Path(out)
        try:
            verdict, directory = run_loaded(loaded, driven, out=place, abort=abort, notify=notify, stop=stop)
        except click.Abort:
            raise KeyboardInterrupt from None
    if verdict.end is End.INTERRUPTED:
        raise KeyboardInterrupt
    return Run(directory.path)


def as_options(settings: Settings | None, seed: int | None) -> tuple[str, ...]:
    """Settings as `--set` has them."""
    given = {**(settings or {}), **({} if seed is None else {"seed": seed})}
    return tuple(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items())


def _nobody(_: str) -> None:
    """Remarks that nobody asked for are dropped."""
