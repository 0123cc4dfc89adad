"""Checks of kinds of work and tenants: shares that add up, names that exist, keys that go with the system."""

from collections.abc import Callable, Iterator

from soak.schemas import units
from soak.schemas.errors import Problem, quoted
from soak.schemas.language.registry import known
from soak.schemas.language.schema import kind_keys, task_keys
from soak.schemas.language.shape import did_you_mean, nearest
from soak.schemas.language.view import View


def _shares(view: View) -> Iterator[Problem]:
    for section in ("tenants", "kinds"):
        shares = [view.parse(units.ratio, *where, "share") for where, _ in view.entries("workload", section)]
        found = [share for share in shares if share is not None]
        if found and len(found) == len(shares) and abs(sum(found) - 1) > 1e-9:
            what = f"the shares add up to {units.show_ratio(sum(found))}"
            yield view.problem(("workload", section), what, "make them add up to 100%")


def _needs_share(view: View) -> Iterator[Problem]:
    """A share of every entry, unless a trace says what is whose."""
    for section, column in (("tenants", "tenant"), ("kinds", "kind")):
        if view.get("workload", "arrivals", "trace", column) is not None:
            continue
        if section == "tenants" and any("users" in item for _, item in view.entries("phases")):
            # Their users say it.
            continue
        for where, item in view.entries("workload", section):
            if "share" not in item and not any(nearest(key, ["share"]) for key in item):
                yield view.problem(where, "needs the key 'share'", "add share: 10%")


def _named(view: View) -> Iterator[Problem]:
    """The kinds that faults strike, and those of arrivals at set times."""
    declared = list(view.names("workload", "kinds"))
    for where, item in (*view.entries("faults"), *view.entries("workload", "arrivals", "scheduled")):
        kinds = item.get("kind", [])
        for place, name in enumerate([kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []):
            if isinstance(name, str) and name not in declared:
                at = (*where, "kind") if isinstance(kinds, str) else (*where, "kind", place)
                remedy = did_you_mean(name, declared) if declared else "declare workload.kinds"
                yield view.problem(at, f"the scenario declares no kind {quoted(name)}", remedy)


def _foreign_keys(view: View) -> Iterator[Problem]:
    """Keys of kinds that belong to another system, and tasks where kinds have none of their own."""
    if not view.language:
        return
    others = [name for name in known() if name != view.language.name]
    for where, item in view.entries("workload", "kinds"):
        task = item.get("task") if view.language.kind_service else None
        found = [(other, (*where, key)) for other in others for key in kind_keys(other) if key in item]
        found += [(other, (*where, "task", key)) for other in others for key in task_keys(other) if key in (task or ())]
        for other, place in found:
            what = f"{place[-1]!r} belongs to the system {other}, but this scenario has system: {view.language.name}"
            yield view.problem(place, what, "remove it, or change system", at_key=True)
        if "task" in item and not view.language.kind_service:
            what = f"kinds of work have no task of their own in the system {view.language.name}"
            yield view.problem((*where, "task"), what, "remove it", at_key=True)


KIND_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_shares, _needs_share, _named, _foreign_keys)
