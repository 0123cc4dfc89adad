"""What must be true of every run of a pipeline: its records are accounted for, and so are the starts of its processes."""

from collections.abc import Iterator

from soak.runner.judge.pipeline.ends import Ends
from soak.runner.judge.pipeline.flow import Flow, way_to
from soak.runner.judge.pipeline.probes import Probes
from soak.runner.judge.pipeline.processes import Processes
from soak.runner.judge.pipeline.reported import Reported
from soak.runner.judge.room import Law
from soak.schemas.systems.pipeline.settings import Guarantee, Pipeline

_RECORDS = (
    "every record that the source sent is at the end in a sink, dropped, missed, lost or waiting, and in one place only"
)
_RESTARTS = "the restarts of every process, counted by its starts, are those that the supervisor reports"
_PROCESSES = "starts and exits of every process alternate"
_TWICE = Guarantee.AT_LEAST_ONCE
_RESUMED = "the runner was down meanwhile"


def laws_of(
    pipeline: Pipeline, flow: Flow, ends: Ends, processes: Processes, probes: Probes, reported: Reported
) -> Iterator[Law]:
    """The laws of a pipeline."""
    resumed = processes.resumed
    yield _unless_resumed(_records(pipeline, flow, ends), resumed=resumed)
    if processes.any_reported:
        differing = list(processes.differing())
        found = Law("restarts", _RESTARTS, float(len(differing)), "; ".join(differing))
        yield _unless_resumed(found, resumed=resumed)
    wrong = processes.out_of_turn
    detail = f"{wrong} starts of what ran, or exits of what did not" if wrong else ""
    yield _unless_resumed(Law("processes", _PROCESSES, float(wrong), detail), resumed=resumed)
    for each in reported.laws(ends, probes):
        yield _unless_resumed(each, resumed=resumed)


def _unless_resumed(law: Law, *, resumed: bool) -> Law:
    """What is broken of a run whose runner was down may have been whole."""
    if not (resumed and law.broken):
        return law
    return Law(law.name, law.description, None, f"{law.detail}; {_RESUMED}")


def _records(pipeline: Pipeline, flow: Flow, ends: Ends) -> Law:
    if ends.unread:
        words = f"the ledger of {', '.join(ends.unread)} could not be read: correct its path, fields or time in the target file"
        return Law("records", _RECORDS, None, words)
    if not ends.counted and not flow.sent:
        # Processes without records: there are none to account for.
        return Law("records", _RECORDS, 0.0, "")
    if not ends.counted:
        return Law("records", _RECORDS, None, "the sinks were not counted at the end")
    wrong, broken = [], 0
    for number, sink in enumerate(pipeline.sinks):
        way, whole = way_to(pipeline, number)
        stored, lost = int(flow.stored[number]), int(flow.counts["lost"][number])
        phantoms = int(flow.counts["phantoms"][number])
        dropped, missed = (int(flow.on_the_way[name][way].sum()) for name in ("dropped", "missed"))
        left = sum(int(ends.left[each] or 0) for each in way) - _elsewhere(pipeline, flow, ends, number)
        apart = flow.sent - (stored + dropped + missed + lost + left)
        # Of records that a process does not pass on it is not said where they are.
        apart = apart if whole else min(0, apart)
        # What would be read a second time waits as well as it is there.
        again = sum(int(ends.left[each] or 0) for each in way if pipeline.processes[each].guarantee is _TWICE)
        apart = 0 if -again <= apart < 0 else apart
        broken += abs(apart) + phantoms
        if apart or phantoms:
            parts = {"stored": stored, "dropped": dropped, "missed": missed, "lost": lost, "waiting": left}
            told = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count or name == "stored")
            never = f", {phantoms:,} never sent" if phantoms else ""
            wrong.append(f"{sink.name}: {flow.sent:,} sent, {told}{never}")
    return Law("records", _RECORDS, float(broken), "; ".join(wrong))


def _elsewhere(pipeline: Pipeline, flow: Flow, ends: Ends, number: int) -> int:
    """Of what waits for the process that writes a sink, how much is in this one already, and not in another of the stream."""
    stream = pipeline.sinks[number].of
    done = [int(stored + lost) for stored, lost in zip(flow.stored, flow.counts["lost"], strict=True)]
    least = min(count for count, sink in zip(done, pipeline.sinks, strict=True) if sink.of == stream)
    writer = pipeline.writer(stream)
    waits = 0 if writer is None else int(ends.left[writer] or 0)
    return min(waits, done[number] - least)
