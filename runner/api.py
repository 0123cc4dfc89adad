"""Running scenarios from Python: a verdict without files, for tests and for whatever runs many of them."""

from collections.abc import Sequence
from pathlib import Path

from runner.engine import Sink, execute, identify
from runner.judge.judge import Judge
from runner.targets.simulation import Simulation
from schemas.load import Loaded, load
from schemas.verdict import Verdict
from simulation.plan import Plan


def simulate_scenario(
    scenario: Path | Loaded, *, seed: int | None = None, settings: Sequence[str] = (), sinks: Sequence[Sink] = ()
) -> tuple[Verdict, Judge]:
    """Run a scenario against the model; returns the verdict and the judge that came to it. Raises SoakError."""
    loaded = scenario if isinstance(scenario, Loaded) else load(scenario, settings=settings)
    plan = Plan(loaded.scenario, seed)
    target = Simulation()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    return execute(plan, target, identity, sinks)
