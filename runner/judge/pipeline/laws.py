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
    pipeline: Pipeline, flow: Flow, ends: Ends, processes: Processes, probes: Probes, reported: Reported, *, real: bool
) -> Iterator[Law]:
    """The laws of a pipeline. real: of a real run."""
    resumed = processes.resumed
    for law in _records(pipeline, flow, ends, real=real):
        yield _unless_resumed(law, resumed=resumed)
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


def _records(pipeline: Pipeline, flow: Flow, ends: Ends, *, real: bool) -> Iterator[Law]:
    """Without sinks that were counted and without records there is nothing to account for, and no law."""
    if ends.unread:
        words = f"the ledger of {', '.join(ends.unread)} could not be read: correct its path, fields or time in the target file"
        yield Law("records", _RECORDS, None, words)
        return
    if not ends.counted:
        if flow.sent:
            yield Law("records", _RECORDS, None, "the sinks were not counted at the end")
        return
    if unknown := _unknown(pipeline, flow, real=real):
        yield Law("records", _RECORDS, None, unknown)
        return
    wrong, broken = [], 0
    for number, sink in enumerate(pipeline.sinks):
        apart, told = _apart(pipeline, flow, ends, number)
        phantoms = int(flow.counts["phantoms"][number])
        broken += apart + phantoms
        if apart or phantoms:
            never = f", {phantoms:,} never sent" if phantoms else ""
            wrong.append(f"{sink.name}: {told}{never}")
    yield Law("records", _RECORDS, float(broken), "; ".join(wrong))


def _unknown(pipeline: Pipeline, flow: Flow, *, real: bool) -> str:
    """What keeps records from being accounted for, in words. A real run says what could be compared, be it that 0 were found."""
    if not flow.sent:
        return "no records were sent"
    for number, sink in enumerate(pipeline.sinks):
        if real and number not in flow.told["phantoms"]:
            return f"{sink.name}: not held against what the source sent: no ledger shows that"
        if real and number not in flow.told["lost"]:
            return f"{sink.name}: not held against what the source sent: which records get there is not known"
        if not way_to(pipeline, number)[1] and flow.expected[number] is None:
            return f"{sink.name}: how many records had to get there is not known"
    return ""


def _apart(pipeline: Pipeline, flow: Flow, ends: Ends, number: int) -> tuple[int, str]:
    """How many records of a sink are not accounted for, or in two places, and all of them in words."""
    way, whole = way_to(pipeline, number)
    stored, lost = int(flow.stored[number]), int(flow.counts["lost"][number])
    dropped, missed = (int(flow.on_the_way[name][way].sum()) for name in ("dropped", "missed"))
    left = sum(int(ends.left[each] or 0) for each in way) - _elsewhere(pipeline, flow, ends, number)
    expected = flow.expected[number]
    if whole or expected is None:
        apart = flow.sent - (stored + dropped + missed + lost + left)
    else:
        # What never got as far as the process that chooses may be of those that it passes on, or not.
        apart = expected - (stored + lost)
        apart = max(0, apart - (dropped + missed + left)) if apart > 0 else apart
    # What would be read a second time waits as well as it is there.
    again = sum(int(ends.left[each] or 0) for each in way if pipeline.processes[each].guarantee is _TWICE)
    apart = 0 if -again <= apart < 0 else apart
    parts = {"stored": stored, "dropped": dropped, "missed": missed, "lost": lost, "waiting": left}
    told = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count or name == "stored")
    had = "" if whole or expected is None else f", {expected:,} had to get there"
    return abs(apart), f"{flow.sent:,} sent{had}, {told}"


def _elsewhere(pipeline: Pipeline, flow: Flow, ends: Ends, number: int) -> int:
    """Of what waits for the process that writes a sink, how much is in this one already, and not in another of the stream."""
    stream = pipeline.sinks[number].of
    done = [int(stored + lost) for stored, lost in zip(flow.stored, flow.counts["lost"], strict=True)]
    least = min(count for count, sink in zip(done, pipeline.sinks, strict=True) if sink.of == stream)
    writer = pipeline.writer(stream)
    waits = 0 if writer is None else int(ends.left[writer] or 0)
    return min(waits, done[number] - least)
