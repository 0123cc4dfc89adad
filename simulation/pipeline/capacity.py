"""What the records of a plan ask of each process, in closed form. Without NumPy: `soak validate` asks, too.

A wait is that of a server with independent times between arrivals and services of which two moments are known (Kingman 1961),
in a row by the approximation of Whitt, "The Queueing Network Analyzer" (Bell System Technical Journal, 1983): what leaves a
server of utilisation u varies by u^2 times its services plus 1 - u^2 times its arrivals. It is exact for Poisson arrivals and
exponential services.
"""

import math
from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.language.model import Process as Arrivals
from soak.schemas.language.model import Scenario
from soak.schemas.systems.pipeline.settings import SOURCE, Passes, Pipeline, Process, Sink, pipeline_of


class Demand(Struct, frozen=True):
    """What a process is asked for. share: of the records of the source that it gets. passed: of these, what it passes on.

    utilisation: seconds of work per second, at a rate. wait_s: the mean time that a record waits for it; infinite if it cannot
    keep up.
    """

    process: Process
    share: float
    passed: float
    utilisation: float
    wait_s: float

    @property
    def sojourn_s(self) -> float:
        """The mean time that a record waits and is worked on."""
        return self.wait_s + self.process.service.mean_s


def demands(scenario: Scenario, rate_per_s: float) -> list[Demand]:
    """What each process is asked for at a rate of the source, in the order of the processes."""
    pipeline = pipeline_of(scenario)
    varies = 0.0 if scenario.workload.process is Arrivals.CONSTANT else 1.0
    found = dict(_behind(pipeline, SOURCE, rate_per_s, varies, before=()))
    return [found[number] for number in range(len(pipeline.processes))]


def _behind(
    pipeline: Pipeline, stream: str, rate_per_s: float, varies: float, before: tuple[Passes, ...]
) -> Iterator[tuple[int, Demand]]:
    for number, process in enumerate(pipeline.processes):
        if process.reads != stream:
            continue
        share, passed = share_of(pipeline, before), share_of(pipeline, (*before, process.passes))
        utilisation = rate_per_s * share * process.service.mean_s
        spread = variation(process.service)
        waits = process.service.mean_s * (varies + spread) / 2
        wait_s = utilisation * waits / (1 - utilisation) if utilisation < 1 else math.inf
        yield number, Demand(process, share, passed, utilisation, wait_s)
        if process.writes:
            busy = min(1.0, utilisation) ** 2
            thinned = passed / share if share else 0.0
            leaves = thinned * (busy * spread + (1 - busy) * varies) + 1 - thinned
            yield from _behind(pipeline, process.writes, rate_per_s, leaves, (*before, process.passes))


def share_of(pipeline: Pipeline, passes: tuple[Passes, ...]) -> float:
    """The share of all records that all of these filters let pass, while no fault changes what records are like."""
    if Passes.CONFIRMED in passes:
        return pipeline.strong * (1 - pipeline.low_consistency)
    return pipeline.strong if Passes.STRONG in passes else 1.0


def variation(distribution: Distribution) -> float:
    """The squared coefficient of variation of a distribution."""
    mean_s = distribution.mean_s
    if not mean_s:
        return 0.0
    match distribution:
        case Constant():
            return 0.0
        case Exponential():
            return 1.0
        case Uniform(low_s, high_s):
            return (high_s - low_s) ** 2 / 12 / mean_s**2
        case LogNormal():
            return math.expm1(distribution.sigma**2)
        case Empirical(_, values_s):
            return math.fsum((each - mean_s) ** 2 for each in values_s) / len(values_s) / mean_s**2


def batch_wait_s(sink: Sink, rate_per_s: float) -> float:
    """How long a record waits for its batch on average, at a rate: the first for its whole time, the others half of it."""
    if sink.rows == 1 or not rate_per_s:
        return 0.0 if sink.rows == 1 else sink.every_s
    more = rate_per_s * sink.every_s
    if more >= sink.rows - 1:
        return (sink.rows - 1) / rate_per_s / 2
    return sink.every_s * (1 + more / 2) / (1 + more)


def path_to(pipeline: Pipeline, stream: str) -> tuple[int, ...]:
    """The processes that records go through until they are in a stream, from the source on."""
    writer = pipeline.writer(stream)
    return () if writer is None else (*path_to(pipeline, pipeline.processes[writer].reads), writer)
