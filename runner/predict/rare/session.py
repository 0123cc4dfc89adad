"""The rare events of one `soak predict --rare`: which are asked for, and the search for each in turn."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from soak.runner.predict.rare.events import AbortHolds, Event, ObjectiveBroken
from soak.runner.predict.rare.runs import Runs
from soak.runner.predict.rare.search import Search
from soak.runner.predict.table import column
from soak.runner.replications.replication import Replication
from soak.runner.replications.series import changing_line
from soak.runner.replications.worker_pool import Lasting, make_pool
from soak.schemas.errors import UsageError, quoted
from soak.schemas.evidence.prediction import RareEvent
from soak.schemas.language.model import Scenario


def events_of(scenario: Scenario, names: Sequence[str], *, all_aborts: bool = False) -> list[Event]:
    """The abort conditions and objectives of these names, each once, after all abort conditions if asked. Raises UsageError."""
    aborts: dict[str, Event] = {each.name: AbortHolds(each) for each in scenario.aborts}
    if all_aborts and not aborts:
        raise UsageError(
            "--rare: the scenario has no abort conditions (name an objective, such as --rare-event objective1)"
        )
    objectives = [ObjectiveBroken(each, place) for place, each in enumerate(scenario.objectives)]
    known: dict[str, Event] = {column(each.place): each for each in objectives}
    known |= {**{each.name: each for each in objectives}, **aborts}
    events = [*(aborts.values() if all_aborts else ()), *(_named(each, known) for each in names)]
    return list({each.name: each for each in events}.values())


def _named(name: str, known: Mapping[str, Event]) -> Event:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        listed = ", ".join(quoted(each) for each in known) or "it has none"
        remedy = f"did you mean {quoted(near[0])}?" if near else f"write one of: {listed}"
        raise UsageError(
            f"--rare-event {quoted(name)} is no abort condition and no objective of the scenario ({remedy})"
        )
    return known[name]


def find(
    scenario: Scenario,
    events: Sequence[Event],
    plain: Sequence[Replication],
    *,
    effort: int,
    precision: float | None,
    workers: int | None,
    interrupted: Callable[[], bool],
) -> list[RareEvent]:
    """The probability of each event. An interruption ends the search; events after it are not looked for."""
    found = []
    with closing(make_pool(workers, None)) as pool, changing_line() as line:
        for event in events:
            if interrupted():
                break

            def told(made: int, event: Event = event) -> None:
                line(event.name, f"  rare event {event.name}: {made:,} runs")

            runs = Runs(scenario, event, Lasting(pool), interrupted, told)
            found.append(Search(scenario, event, runs, effort, precision).answer(plain))
    return found
