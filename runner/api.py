"""Running scenarios from Python: a verdict without files, for tests and for whatever runs many of them."""

from collections.abc import Sequence
from pathlib import Path

from soak.runner.engine import Sink, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import Loaded, load
from soak.simulation.plan import Plan


def simulate_scenario(
    scenario: Path | Loaded, *, seed: int | None = None, settings: Sequence[str] = (), sinks: Sequence[Sink] = ()
) -> tuple[Verdict, Judge]:
    """Run a scenario against the model; returns the verdict and the judge that came to it. Raises SoakError."""
    loaded = scenario if isinstance(scenario, Loaded) else load(scenario, settings=settings)
    plan = Plan(loaded.scenario, seed)
    target = Simulation()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    return execute(plan, target, identity, sinks)
