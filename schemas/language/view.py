"""A scenario's data as the checks see it."""

from collections.abc import Callable
from typing import Any, TypeVar

from soak.schemas import units
from soak.schemas.errors import Problem, Where
from soak.schemas.files import Folders
from soak.schemas.language.document import Document
from soak.schemas.language.registry import known, language_of

T = TypeVar("T")


class View:
    """Safe access to data with defaults filled in: missing values and wrong shapes are None."""

    def __init__(self, document: Document, data: Any, folders: Folders) -> None:
        self.document = document
        self.data = data
        self.folders = folders
        system = self.get("system")
        self.language = language_of(system) if isinstance(system, str) and system in known() else None
        """What the system adds to the language; None where it is not known."""

    def get(self, *where: str | int) -> Any:
        """The value at a path."""
        data = self.data
        for step in where:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def parse(self, parse: Callable[[Any], T], *where: str | int) -> T | None:
        """The value at a path, parsed with `parse`."""
        try:
            return parse(self.get(*where))
        except (ValueError, TypeError, LookupError, AttributeError):
            return None

    def duration(self, *where: str | int) -> float | None:
        """The seconds of the duration at a path."""
        return self.parse(units.duration, *where)

    def rate(self, *where: str | int) -> float | None:
        """The events per second of the rate at a path."""
        return self.parse(units.rate, *where)

    def entries(self, *where: str | int) -> list[tuple[Where, dict[str, Any]]]:
        """The mappings in the list at a path, each with its own path."""
        items = self.get(*where)
        return [
            ((*where, n), each)
            for n, each in enumerate(items if isinstance(items, list) else [])
            if isinstance(each, dict)
        ]

    def names(self, *where: str | int) -> tuple[str, ...]:
        """The names of those mappings."""
        return tuple(name for _, item in self.entries(*where) if isinstance(name := item.get("name"), str))

    def problem(self, where: Where, what: str, remedy: str, *, at_key: bool = False) -> Problem:
        """A problem at a path."""
        return self.document.problem(where, what, remedy, at_key=at_key)


def exchange_places(view: View) -> list[Where]:
    """Where the requests of the load are."""
    kinds = [where for where, item in view.entries("workload", "kinds") if "request" in item]
    return [*kinds, *([("workload", "task")] if view.get("workload", "task", "request") is not None else [])]
