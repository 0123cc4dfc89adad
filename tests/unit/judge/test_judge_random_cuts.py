"""Whatever the judge says of a stream, it says of the same stream in other blocks: every SLI, law and condition there is.

The lists come from the catalogue, so that what is added to it is tested here as well.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from histories import IDENTITY, make_judge, pieces, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.evidence.record import to_json
from soak.runner.judge.decide import decide
from soak.runner.judge.explanation.wanted import wanted_by_objective
from soak.runner.judge.folds import Tally
from soak.runner.judge.judge import Judge
from soak.schemas.errors import ScenarioError
from soak.schemas.evidence.explanation import MOST_CASES
from soak.schemas.evidence.verdict import End
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import catalogues
from soak.schemas.language.slis import AT_THE_END, Aggregate, Sli
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import CENSUS, SPECS, Kind, Value
from soak.schemas.systems.pipeline.settings import AlertRule

SYSTEMS = {
    "queue": """
        queue:
          lease: {duration: 30s, heartbeat: 10s}
          retry: {max_attempts: 3, backoff: [3s, 9s], jitter: equal}
          max_deliveries: 3
        faults:
          - {name: net, type: transient_error, rate: 15%, errors: [timeout, refused]}
          - {name: budget, type: guardrail_exceed, rate: 5%}
          - {name: crash, type: worker_crash, rate: 3%}
          - {name: later, type: guardrail_exceed, rate: 5%, at: 9s, for: 20s}
          - {name: twice, type: duplicate_enqueue, rate: 5%}
          - {name: out, type: dispatcher_crash, at: 30s, for: 9s}
    """,
    "calls": """
        calls: {dependencies: [{name: a, latency: {distribution: constant, value: 1s}}]}
        faults:
          - {name: net, type: server_error, rate: 5%}
          - {name: crash, type: dependency_crash, at: 9s, for: 9s}
          - {name: late, type: delay, rate: 5%, delay: {distribution: constant, value: 1s}}
          - {name: budget, type: bad_release, at: 20s, for: 9s}
    """,
    "pipeline": """
        pipeline:
          processes: [{name: a, reads: source, writes: s}, {name: b, reads: s}]
          sinks: [{name: f, of: s}, {name: g, of: s}]
          supervisor:
            health: {every: 2s, timeout: 1s}
            restart: {backoff: {initial: 1s, max: 4s}, max_restarts: 2, within: 20s, reset_after: 4s}
            shutdown: {order: [b, a]}
          alerts: {no_records: {for: 2m}, low_consistency: {above: 50%}, strong_ratio: {below: 50%}, tolerance: 30s}
        faults:
          - {name: net, type: source_disconnect, at: 9s, for: 9s}
          - {name: crash, type: process_kill, process: b, at: 20s}
    """,
    "gateway": """
        gateway: {fairness: {baseline: late}}
        faults:
          - {name: net, type: store_outage, at: 9s, for: 9s}
          - {name: crash, type: gateway_kill, at: 20s, for: 9s}
    """,
}
COMMON = """
duration: 2m
drain: 1m
warmup: 5s
workload:
  tenants: [{name: A, share: 50%}, {name: B, share: 50%}]
  arrivals: {rate: 1/s}
  task: {duration: {distribution: constant, value: 5s}}
phases: [{name: early, at: 0s, for: 20s}, {name: late, at: 20s, for: 60s}]
checkpoints: {every: 20s}
telemetry: {max_gap: 1m}
"""
TARGETS = {
    Unit.DURATION: "4s",
    Unit.RATIO: "50%",
    Unit.COUNT: "2",
    Unit.RATE: "0.2/s",
    Unit.SIZE: "2B",
    Unit.DURATION_PER_HOUR: "1s/h",
    Unit.COUNT_PER_HOUR: "1/h",
    Unit.SIZE_PER_HOUR: "1B/h",
}
MORE_SLIS = {
    "queue": """
slis:
  fast: {share: {of: latency, below: 2s}}
  waited: {quantile: {of: wait, q: 75%}}
  ran: {share: {of: execution.ended, below: 1s}}
""",
    "calls": """
slis:
  fast: {share: {of: latency, below: 2s}}
  called: {share: {of: [call.succeeded, call.failed], below: 1s}}
  slow_calls: {quantile: {of: "call.succeeded{to=a}", q: 95%}}
""",
    "pipeline": """
slis:
  fast: {share: {of: latency, below: 2s}}
  exits: {count: process.exited}
""",
    "gateway": """
slis:
  fast: {share: {of: latency, below: 2s}}
  answers: {count: "response.received"}
""",
}
"""Indicators beside the catalogue."""
MORE_OBJECTIVES = (
    "latency_p99.9 <= 4s",
    "latency_share_below(2s) >= 50%",
    "'latency_share_below(2s){tenant=A} >= 1.1x tenant=B'",
    "{objective: fast >= 50%, confidence: 90%}",
    "{objective: 'wait_p75{tenant=*} <= 4s', warn: < 1s}",
    "{objective: success_rate >= 50%, warn: '>= 1.5x phase=early'}",
)
_TASKS_TOGETHER = """
  - {name: both, all: [{when: success_rate < 90%, window: 9s}, {when: latency_p90 > 1s, window: 3s, for: 2s}], expect: never}
  - {name: either, any: [{when: fast < 50%}, {all: [{when: stall_time > 4s}, {when: state_transitions > 2, window: 5s}]}],
     for: 1s, keep_firing_for: 2s, expect: fires}
  - {name: often, when: success_rate < 50%, window: 3s, expect: {at_least: 2, max_flaps: 3}}
abort:
  - {name: burn, all: [{when: success_rate < 50%, window: 9s}, {when: success_rate < 50%, window: 3s}], then: fail}
"""
TOGETHER = {
    "queue": _TASKS_TOGETHER,
    "calls": _TASKS_TOGETHER,
    "gateway": _TASKS_TOGETHER.replace("state_transitions", "requests"),
    "pipeline": """
  - {name: both, all: [{when: health_green < 90%, window: 9s}, {when: latency_p90 > 1s, window: 3s, for: 2s}], expect: never}
  - {name: often, when: "health_green{process=a} < 50%", window: 3s, expect: {at_least: 2, max_flaps: 3}}
abort:
  - {name: burn, all: [{when: health_green < 50%, window: 9s}, {when: restarts > 1, window: 3s}], then: fail}
""",
}
WINDOWS = ("", ", window: 7s, for: 2s, keep_firing_for: 1s", ", window: 3s, min_samples: 2")
CAUSES = (
    ("", ""),
    ("net", "timeout"),
    ("budget", "budget"),
    ("crash", "worker_crash"),
    ("", "process_gone"),
    ("", "throttled"),
    ("", "wrong_answer"),
)


def accepted(system: str, part: str) -> bool:
    """Whether a scenario with this part is valid."""
    try:
        scenario(text_of(system, part))
    except ScenarioError:
        return False
    return True


def text_of(system: str, part: str) -> str:
    """A scenario of a system with one more part."""
    lines = "\n".join(line.removeprefix("        ") for line in SYSTEMS[system].splitlines())
    workload = (
        COMMON if system == "queue" else COMMON.replace("  task: {duration: {distribution: constant, value: 5s}}\n", "")
    )
    if system == "pipeline":
        workload = workload.replace("tenants: [{name: A,", "kinds: [{name: A,")
    return f"system: {system}\n{workload}{lines}\n{part}"


def objectives(sli: Sli) -> list[str]:
    """An objective on an SLI, and those that look at a part of its observations, compare two, or ask for an interval."""
    op = "<=" if sli.better == "lower" else ">="
    target = TARGETS[sli.unit]
    return [
        f"{sli.name} {op} {target}",
        f"{{objective: {sli.name} {op} {target}, confidence: 90%}}",
        f'"{sli.name}{{tenant=A}} {op} {target}"',
        f'"{sli.name}{{phase=early}} {op} 1.1x tenant=B"',
        f"{sli.name} ~ {target}",
        *([f'"{sli.name}{{phase=early}} {op} {target}"'] if sli.over else []),
        f"{{objective: {sli.name} {op} {target}, window: 7s, min_samples: 2}}",
        f"{{objective: {sli.name} {op} {target}, window: 3s, in: 60%}}",
        *(f'"{sli.name}{{{label}=*}} {op} {target}"' for label in sli.by),
        f'"{sli.name}{{kind=A}} {op} {target}"',
    ]


@cache
def everything(system: str) -> str:
    """A scenario with all that is valid of the objectives and conditions on the whole catalogue."""
    slis = list(catalogues()[system].values())
    slos = [text for sli in slis for text in objectives(sli) if accepted(system, f"slos: [{text}]")]
    alerts = []
    for sli in slis:
        for op in (">", "<=") if sli.aggregate is not Aggregate.LONGEST else (">", ">="):
            for window in WINDOWS:
                alert = f"{{name: a{len(alerts)}, when: {sli.name} {op} {TARGETS[sli.unit]}{window}, expect: {{max_flaps: 0}}}}"
                if accepted(system, f"alerts: [{alert}]"):
                    alerts.append(alert)
    more = [text for text in MORE_OBJECTIVES if accepted(system, f"{MORE_SLIS[system]}\nslos: [{text}]")]
    lines = [f"  - {text}" for text in (*slos, *more)]
    watched = [f"  - {text}" for text in alerts]
    return text_of(system, "\n".join([MORE_SLIS[system], "slos:", *lines, "alerts:", *watched, TOGETHER[system]]))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_indicator_is_looked_at_here(system: str) -> None:
    made = scenario(everything(system))
    assert {each.comparison.sli.name for each in made.objectives} >= set(catalogues()[system])
    assert {"latency_p99.9", "latency_share_below(2s)", "fast"} <= made.slis.keys() - catalogues()[system].keys()
    growths = {sli.name for sli in catalogues()[system].values() if sli.aggregate is Aggregate.GROWTH}
    watched = {part.comparison.sli.name for alert in made.alerts for part in alert.condition.parts}
    ends = {sli.name for sli in catalogues()[system].values() if sli.at_the_end or sli.over}
    assert watched >= set(catalogues()[system]) - growths - ends - {"lost_tasks"}


@dataclass(frozen=True)
class Stream:
    """How a random stream is made."""

    system: str
    seed: int
    size: int

    def block(self, judge: Judge) -> Block:
        """Events in random order, legal and illegal ones, many at the same instant, and a census."""
        draw = np.random.default_rng(self.seed)
        kinds = [kind for kind in SPECS if not SPECS[kind].type.startswith(("run.", "alert."))]
        kinds += [Kind.RUN_INTERRUPTED, Kind.RUN_PAUSED, Kind.RUN_RESUMED]
        weights = np.array([5.0 if SPECS[kind].uses("task") else 1.0 for kind in kinds])
        kind = draw.choice(kinds, self.size, p=weights / weights.sum())
        t = np.cumsum(draw.choice([0.0, 0.0, 0.0, 0.25, 1.0, 3.0], self.size))
        word = judge.vocabulary
        task = draw.integers(0, 8, self.size)
        columns = {
            "task": np.where([SPECS[Kind(each)].uses("task") for each in kind], task, -1),
            "attempt": draw.integers(1, 4, self.size),
            "worker": draw.integers(-1, 3, self.size),
            "cause": draw.choice([word.cause(*cause) for cause in CAUSES], self.size),
            "label": draw.choice([word.label(*label) for label in self._labels()], self.size),
            "value": np.array(
                [self._value(draw, Kind(each), float(at), judge) for each, at in zip(kind, t, strict=True)]
            ),
        }
        return make_block(t, kind, until_s=float(t[-1]) + float(draw.choice([0.0, 2.0])), **columns)

    def _labels(self) -> list[tuple[str, str]]:
        return [("", "A"), ("", "B")] if self.system == "pipeline" else [("A", ""), ("B", "")]

    @staticmethod
    def _value(draw: np.random.Generator, kind: Kind, t_s: float, judge: Judge) -> float:
        spec = SPECS[kind]
        if kind in CENSUS.values():
            return float(draw.integers(0, 3))
        if spec.value is Value.NAME:
            names = list(AlertRule) if spec.type.startswith("reported.") else ["a", "b"]
            return float(judge.vocabulary.name(str(draw.choice(names))))
        if spec.value_name == "due":
            return float(max(0.0, t_s + draw.choice([-2.0, 0.0, 4.0])))
        if spec.value is Value.NUMBER and spec.type.startswith(("records.", "orders.", "sample.backlog")):
            return float(draw.integers(0, 4))
        return float(draw.choice([0.0, 1.0, 2.0, 3.0, 0.1])) if spec.value is not Value.NONE else np.nan


def judged(text: str, stream: Stream, cuts: list[int], *, times: bool = False) -> list[str]:
    """All that a judge says of a stream in blocks that end before these events, or at these times, in lines."""
    made = make_judge(text)
    block = stream.block(made)
    blocks = list(split(block, [float(cut) for cut in cuts])) if times else pieces(block, cuts)
    end = make_block([block.until_s], [Kind.RUN_ENDED], until_s=block.until_s, value=[8.0])
    for part in [*blocks, end]:
        for _ in made.observe(part):
            pass
    said = to_json(decide(made, IDENTITY, End.COMPLETED)) + to_json(made.checkpoints)
    return [*said.decode().splitlines(), *(f"{alert.condition.name} {guard.value}" for alert, guard in made.alerts)]


def split(block: Block, times: list[float]) -> list[Block]:
    """The block cut at these times."""
    parts = []
    for at in sorted(times):
        if at <= block.until_s:
            first, block = block.split(at)
            parts.append(first)
    return [*parts, block]


UNNOTED = {"state_transitions", "requests", "calls", "lease_contentions", "strong"}
"""Series that count nothing bad, or, of these random ones, not whole numbers."""

streams = st.builds(Stream, st.sampled_from(sorted(SYSTEMS)), st.integers(0, 2**32), st.integers(1, 120))


@settings(max_examples=40, deadline=None)
@given(
    stream=streams,
    cuts=st.sets(st.integers(1, 119), min_size=1, max_size=12),
    times=st.sets(st.integers(1, 90), min_size=1, max_size=8),
)
def test_a_verdict_does_not_depend_on_where_blocks_end(stream: Stream, cuts: set[int], times: set[int]) -> None:
    """Neither where they end before an event, nor between two of them."""
    text = everything(stream.system)
    inside = sorted({cut % stream.size for cut in cuts} - {0})
    whole = judged(text, stream, [])
    assert judged(text, stream, inside) == whole
    assert judged(text, stream, sorted(times), times=True) == whole


@settings(max_examples=6, deadline=None)
@given(stream=streams)
def test_a_block_for_each_event(stream: Stream) -> None:
    text = everything(stream.system)
    assert judged(text, stream, list(range(1, stream.size))) == judged(text, stream, [])


@settings(max_examples=20, deadline=None)
@given(stream=streams)
def test_there_are_as_many_cases_as_a_count_counts(stream: Stream) -> None:
    """Those that are noted one by one are all of them, with labels and without."""
    made = make_judge(everything(stream.system))
    for _ in made.observe(stream.block(made)):
        pass
    compared = [each.comparison for each in made.scenario.objectives]
    known_later = [each for each in compared if each.sli.name == AT_THE_END or each.sli.at_the_end]
    for comparison in [each for each in compared if wanted_by_objective(each) and each not in known_later]:
        labels = made.labels.selected(comparison.selector)
        cases = made.records.cases.cases(comparison.sli.series, labels)
        fold = made.folds.fold(comparison.sli, labels)
        assert isinstance(fold, Tally)
        bad = fold.total if comparison.sli.aggregate is Aggregate.COUNT else fold.weight - fold.total
        if comparison.sli.series not in UNNOTED:
            assert sum(each.count for each in cases) == bad, comparison.text
        assert all(0 < len(each.first) <= MOST_CASES and len(each.first) <= each.count for each in cases)
        assert [case.t_s for each in cases for case in each.first if case.t_s < made.scenario.warmup_s] == []
