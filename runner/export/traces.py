"""A run as traces: its faults and alerts as spans of one, each of its slowest tasks as one with its attempts.

Spans in scenario time, of no library: `otlp` hands them on.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from soak.runner.export.attempts import Stories, TaskEvent, TaskStory
from soak.runner.export.moments import Span, Subject, spans_of
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import FaultResult, Verdict
from soak.schemas.stream.events import task_name

RUN = "run"
Value = str | int | float | bool


class Mark(Struct, frozen=True):
    """Something that happened during a span."""

    t_s: float
    name: str
    facts: Mapping[str, Value] = field(default_factory=dict)


class TraceSpan(Struct, frozen=True):
    """A span of trace `trace`, where its key is unique; `parent`: the key of one in the same trace. Times: scenario time.

    error: what went wrong; empty where nothing did. links: trace and key of spans that it belongs with.
    """

    trace: str
    key: str
    name: str
    start_s: float
    end_s: float
    parent: str = ""
    error: str = ""
    facts: Mapping[str, Value] = field(default_factory=dict)
    marks: Sequence[Mark] = ()
    links: Sequence[tuple[str, str]] = ()


def trace_of(judge: Judge, verdict: Verdict, stories: Stories) -> list[TraceSpan]:
    """All spans of a run that has ended: the run first, then what happened in it, then its slowest tasks."""
    slow = stories.named([each.task for each in verdict.slowest])
    return [
        *_of_the_run(judge, verdict, slow),
        *_of_rates(judge, verdict, stories),
        *(span for story in slow for span in _of_task(story)),
    ]


def _of_the_run(judge: Judge, verdict: Verdict, slow: Sequence[TaskStory]) -> Iterator[TraceSpan]:
    results = {each.name: each for each in verdict.faults}
    spans = list(spans_of(judge, verdict))
    links = [(_trace(story), _trace(story)) for story in slow]
    for span in spans:
        if span.subject is Subject.RUN:
            yield TraceSpan(
                RUN,
                RUN,
                f"soak {span.name}",
                span.start_s,
                span.end_s or 0.0,
                error="" if verdict.verdict.exit_code == 0 else "\n".join(verdict.reasons) or verdict.headline,
                facts={
                    "soak.verdict": verdict.verdict.value,
                    "soak.end": verdict.end.value,
                    "soak.tasks": verdict.tasks.get("accepted", 0),
                    "soak.objectives.broken": sum(each.status.value == "FAIL" for each in verdict.objectives),
                },
                marks=[Mark(each.start_s, f"abort {each.name}") for each in spans if each.subject is Subject.ABORT],
                links=links,
            )
        elif span.subject is not Subject.ABORT:
            yield _below_the_run(span, results.get(span.name) if span.subject is Subject.FAULT else None)


def _below_the_run(span: Span, result: FaultResult | None) -> TraceSpan:
    facts: dict[str, Value] = {f"soak.{span.subject.value}.{name}": value for name, value in span.facts.items()}
    facts[f"soak.{span.subject.value}.name"] = span.name
    if result:
        facts |= _in_the_run(result)
    end_s = span.start_s if span.end_s is None else span.end_s
    return TraceSpan(RUN, span.key, f"{span.subject.value} {span.name}", span.start_s, end_s, RUN, facts=facts)


def _in_the_run(result: FaultResult) -> dict[str, Value]:
    """What is known of a fault in the whole run."""
    return {
        "soak.fault.type": result.type,
        "soak.fault.injected": result.injected,
        "soak.fault.seen": result.seen,
        "soak.fault.status": result.status.value,
    }


def _of_rates(judge: Judge, verdict: Verdict, stories: Stories) -> Iterator[TraceSpan]:
    """Faults without windows: from the first to the last time that they struck."""
    results = {each.name: each for each in verdict.faults}
    for fault in judge.scenario.faults:
        if not fault.windows and fault.name in stories.struck and fault.name in results:
            start_s, end_s, _ = stories.struck[fault.name]
            facts: dict[str, Value] = {"soak.fault.name": fault.name, "soak.fault.rate": fault.rate}
            facts |= _in_the_run(results[fault.name])
            yield TraceSpan(RUN, f"fault/{fault.name}", f"fault {fault.name}", start_s, end_s, RUN, facts=facts)


def _trace(story: TaskStory) -> str:
    return f"task/{task_name(story.number)}"


def _of_task(story: TaskStory) -> Iterator[TraceSpan]:
    """A slow task from when it was due to its end, and below it each attempt."""
    trace, name = _trace(story), task_name(story.number)
    end_s = story.events[-1].t_s if story.ended_s is None else story.ended_s
    last = story.events[-1]
    attempts = list(story.attempts)
    yield TraceSpan(
        trace,
        trace,
        f"task {name}",
        story.due_s,
        end_s,
        error="" if last.type == "task.done" else last.error or last.type,
        facts={
            "soak.task": name,
            "soak.task.attempts": len(attempts),
            "soak.task.latency_s": round(end_s - story.due_s, 6),
        },
        marks=[Mark(each.t_s, each.type, _facts(each)) for each in story.events if each.attempt <= 0],
        links=[(RUN, RUN)],
    )
    for number, events in attempts:
        failed = next((each for each in reversed(events) if each.error), None)
        worker = next((each.worker for each in events if each.worker >= 0), None)
        facts: dict[str, Value] = {"soak.task": name, "soak.attempt": number}
        facts |= {"soak.worker": worker} if worker is not None else {}
        facts |= {"soak.fault.name": failed.fault} if failed and failed.fault else {}
        done = events[-1].type == "task.done"
        yield TraceSpan(
            trace,
            f"{trace}/{number}",
            f"attempt {number}",
            events[0].t_s,
            events[-1].t_s,
            trace,
            error=failed.error if failed and not done else "",
            facts=facts,
            marks=[Mark(each.t_s, each.type, _facts(each)) for each in events],
        )


def _facts(event: TaskEvent) -> dict[str, Value]:
    found: dict[str, Value] = {"soak.fault.name": event.fault} if event.fault else {}
    return found | ({"error.type": event.error} if event.error else {})
