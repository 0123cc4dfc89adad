"""How notebooks and consoles show evidence: what says and draws it is above this layer, and is put in here when it is loaded."""

from collections.abc import Callable

from msgspec import Struct


class _Drawing(Struct, frozen=True):
    line: Callable[..., str]
    html: Callable[..., str]


_drawings: dict[type, _Drawing] = {}


def draw_with(kind: type, *, line: Callable[..., str], html: Callable[..., str]) -> None:
    """Have objects of a type shown by functions of them: in a line of plain text, and as HTML."""
    _drawings[kind] = _Drawing(line, html)


class Shown:
    """What is shown as its `draw_with` says; as any other object where nothing was said."""

    __slots__ = ()

    def __repr__(self) -> str:
        known = _drawings.get(type(self))
        return super().__repr__() if known is None else known.line(self)

    def _repr_html_(self) -> str | None:
        known = _drawings.get(type(self))
        return None if known is None else known.html(self)
