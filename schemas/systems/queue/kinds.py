"""Kinds of work in a queue: settings of their own, and queues with workers of their own."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from soak.schemas import units

NO_LIMIT_S = float("inf")


class WorkerQueue(Struct, frozen=True):
    """A queue with workers of its own: they take its kinds, by their places in the workload, and no others.

    rate_per_s: how many tasks are dispatched from it per second, at most (None: any number). prefetch: how many tasks each of
    its workers reserves, beside the one that it runs.
    """

    name: str
    workers: int
    kinds: tuple[int, ...]
    rate_per_s: float | None = None
    prefetch: int = 0


def worker_queues(scenario: Mapping[str, Any]) -> tuple[WorkerQueue, ...]:
    """The queues of checked data; none where all workers take all work."""
    kinds = [kind["name"] for kind in scenario["workload"].get("kinds", ())]
    takes = queue_of_kind(scenario)
    return tuple(
        WorkerQueue(
            name=each["name"],
            workers=each["workers"],
            kinds=tuple(place for place, kind in enumerate(kinds) if takes.get(kind) == each["name"]),
            rate_per_s=units.rate(each["rate_limit"]) if "rate_limit" in each else None,
            prefetch=each.get("prefetch", 0),
        )
        for each in scenario["queue"].get("queues", ())
    )


def queue_of_kind(scenario: Any) -> dict[str, str]:
    """By kind the name of its queue: the one that names it, or else the one that names none. Of wrong shapes nothing."""
    queues, kinds = _entries(scenario, "queue", "queues"), _entries(scenario, "workload", "kinds")
    found: dict[str, str] = {}
    for kind in (each.get("name") for each in kinds):
        for named in (True, False):
            for each in queues:
                listed = each.get("kinds")
                takes = kind in listed if named and isinstance(listed, list) else not named and "kinds" not in each
                if takes and isinstance(kind, str) and isinstance(each.get("name"), str):
                    found.setdefault(kind, each["name"])
    return found


def own_settings(queue: Mapping[str, Any], kind: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a queue with those of a kind put in."""
    own = dict(queue)
    if "retry" in kind:
        own["retry"] = {**queue["retry"], **kind["retry"]}
    if "hard_tokens" in kind:
        own["guardrail"] = {**queue["guardrail"], "hard_tokens": kind["hard_tokens"]}
    return {**own, **{key: kind[key] for key in ("time_limit", "priority") if key in kind}}


def _entries(data: Any, *where: str) -> list[dict[str, Any]]:
    for key in where:
        data = data.get(key) if isinstance(data, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
