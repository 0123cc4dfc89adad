"""Whether what another package offers is of the types with which it is declared; nobody else checks that."""

import inspect
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from msgspec import Struct


def misfits(value: Any, wanted: Any, where: str) -> Iterator[str]:
    """Each place in a value that is not of its declared type: of a struct its fields, of a container what it holds."""
    kind, inside = get_origin(wanted) or wanted, get_args(wanted)
    if kind is UnionType:
        if all(any(misfits(value, each, where)) for each in inside):
            yield f"{where} is a {type(value).__name__}, not a {wanted}"
    elif kind is not Any:
        if isinstance(value, int | float if kind is float else kind):
            yield from _inside(value, inside, where)
        else:
            yield f"{where} is a {type(value).__name__}, not a {kind.__name__}"


def _inside(value: Any, inside: tuple[Any, ...], where: str) -> Iterator[str]:
    if isinstance(value, Struct):
        for kind in type(value).__mro__:
            for name, declared in inspect.get_annotations(kind).items():
                yield from misfits(getattr(value, name), declared, f"{where}{'.' if where else ''}{name}")
    elif isinstance(value, Mapping) and inside:
        for key, held in value.items():
            yield from misfits(key, inside[0], f"a key of {where}")
            yield from misfits(held, inside[1], f"{where}[{key!r}]")
    elif isinstance(value, tuple | frozenset) and inside:
        for place, held in enumerate(value):
            yield from misfits(held, inside[0], f"{where}[{place}]")
