"""What a supervisor says of health, held against what soak sees itself: a process that was red cannot have been green."""

from collections import deque
from dataclasses import dataclass, field

from soak.runner.targets.processes.group import Happening, Seen

_MARGIN_S = 1.0
"""Real seconds around a change in which both may be right."""

_MOST_SPANS = 50


@dataclass(slots=True)
class _Span:
    """From when to when a process was seen to be down, or failed every probe; in seconds since 1970."""

    first: float
    last: float
    open: bool = True

    def holds(self, at: float) -> bool:
        """Whether a time is in it, and not near to an end of it."""
        return self.first + _MARGIN_S <= at <= self.last - _MARGIN_S


@dataclass(slots=True)
class _Watched:
    spans: deque[_Span] = field(default_factory=lambda: deque(maxlen=_MOST_SPANS))
    said: list[float] = field(default_factory=list)
    """When the supervisor found it healthy, where that is not settled yet."""
    known: float = 0.0
    """Up to when it is known how it was."""

    def red(self, first: float, last: float) -> None:
        if not (self.spans and self.spans[-1].open):
            self.spans.append(_Span(first, last))
        self.spans[-1].last = max(self.spans[-1].last, last)

    def green(self) -> None:
        if self.spans:
            self.spans[-1].open = False

    def settled(self) -> int:
        """How many times that were said are disputed by now; those that may still become so are kept."""
        open_ = self.spans[-1] if self.spans and self.spans[-1].open else None
        disputed, kept = 0, []
        for at in self.said:
            if any(span.holds(at) for span in self.spans):
                disputed += 1
            elif at > self.known or (open_ is not None and at > open_.last - _MARGIN_S):
                kept.append(at)
        self.said = kept
        return disputed


class Disputes:
    """Follows processes by their names. What it returns is how many green probes of the supervisor are found to be wrong."""

    def __init__(self) -> None:
        self._of: dict[str, _Watched] = {}

    def saw(self, seen: Seen) -> int:
        """Something was seen of a process: its end, a start, or a probe that soak made itself."""
        watched = self._of.setdefault(seen.name, _Watched())
        began = seen.began or seen.at
        match seen.what:
            case Happening.ENDED | Happening.RED:
                watched.red(began, seen.at)
            case Happening.STARTED if watched.spans and watched.spans[-1].open:
                watched.red(began, seen.at)
            case Happening.HEALTHY | Happening.GREEN:
                watched.green()
        watched.known = max(watched.known, began)
        return watched.settled()

    def said(self, name: str, at: float) -> int:
        """The supervisor says that a process was healthy."""
        watched = self._of.setdefault(name, _Watched())
        watched.said.append(at)
        return watched.settled()
