"""Kinds of work: from checked data to their typed form, and the labels by which tasks are selected."""

from collections.abc import Callable, Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.files import Folders
from soak.schemas.language.distributions import Distribution, Mixture, ServiceTime
from soak.schemas.language.model import TaskKind
from soak.schemas.language.room import Language


def build_kinds(
    data: Mapping[str, Any], language: Language, folders: Folders, service: Callable[[], Distribution]
) -> tuple[TaskKind, ...]:
    """The kinds of work of a scenario; `service`: how long an attempt takes at a kind that has no task of its own."""
    labels = language.kind_labels(data)
    kinds = []
    for kind in data["workload"].get("kinds", ()):
        own = language.kind_service(kind, folders) if language.kind_service else None
        more = tuple((label, values[kind["name"]]) for label, values in labels.items() if kind["name"] in values)
        # Only where a trace says what is of which kind there may be none.
        share = units.ratio(kind.get("share", 0))
        kinds.append(TaskKind(kind["name"], share, own or service(), own_service=own is not None, labels=more))
    return tuple(kinds)


def mixture(kinds: tuple[TaskKind, ...]) -> ServiceTime:
    """How long an attempt at a task of any kind takes."""
    if len({kind.service for kind in kinds}) == 1:
        return kinds[0].service
    return Mixture(tuple((kind.share, kind.service) for kind in kinds))


def label_values(data: Any, language: Language | None) -> dict[str, tuple[str, ...]]:
    """The values of each label that a scenario declares; of wrong shapes nothing."""
    workload = data.get("workload") if isinstance(data, dict) else None
    workload = workload if isinstance(workload, dict) else {}
    more = language.kind_labels(data) if language else {}
    return {
        "tenant": _names(workload.get("tenants")),
        "phase": _names(data.get("phases")),
        "kind": _names(workload.get("kinds")),
        **{label: tuple(dict.fromkeys(values.values())) for label, values in more.items()},
        **part_values(data, language),
    }


def part_values(data: Any, language: Language | None) -> dict[str, tuple[str, ...]]:
    """The values of each label of a system's parts."""
    values: dict[str, dict[str, None]] = {}
    for labels in language.parts(data) if language else ():
        for label, value in labels.items():
            values.setdefault(label, {})[value] = None
    return {label: tuple(found) for label, found in values.items() if label != "kind"}


def _names(entries: Any) -> tuple[str, ...]:
    items = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(name for name in items if isinstance(name, str))
