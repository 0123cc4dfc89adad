"""Both sides of Little's law (Little 1961): the area under the number of tasks in the system, and the time each spent in it."""

from soak.runner.judge.groups import carried
from soak.runner.judge.rows import OPEN_STATES, Rows
from soak.runner.judge.table import Table


class Population:
    """Follows how many tasks are in the system, by the events."""

    def __init__(self) -> None:
        self._in_system, self._area, self._sojourn_s, self._until_s = 0, 0.0, 0.0, 0.0

    def observe(self, rows: Rows, until_s: float) -> None:
        """Process the rows of a block that is complete up to `until_s`."""
        entering = rows.changes & ~OPEN_STATES[rows.before] & OPEN_STATES[rows.after]
        leaving = rows.changes & OPEN_STATES[rows.before] & ~OPEN_STATES[rows.after]
        entered = carried(rows.groups.latest(entering), rows.t, rows.known("entered"))
        self._sojourn_s += float((rows.t - entered)[leaving].sum())
        self._area += self._in_system * (until_s - self._until_s)
        self._area += float((until_s - rows.t[entering]).sum()) - float((until_s - rows.t[leaving]).sum())
        self._in_system += int(entering.sum()) - int(leaving.sum())
        self._until_s = until_s
        rows.keep(entered=entered)

    def littles_law(self, table: Table) -> tuple[float, float]:
        """Time in the system, in seconds: as the area under the number of tasks, and summed over tasks."""
        numbers = table.open_numbers()
        numbers = numbers[OPEN_STATES[table.states[numbers]]]
        still = float((self._until_s - table.get("entered", numbers)).sum())
        return self._area, self._sojourn_s + still
