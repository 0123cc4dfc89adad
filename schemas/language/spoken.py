"""Windows written into an objective or condition, as one would say them: `latency_p95 <= 30s over 30m`."""

import re

from msgspec import Struct

from soak.schemas.language.expression import Expression

_TIME = r"(?P<time>[0-9][0-9.]*(?:ms|[smhd])(?:[0-9][0-9.]*(?:ms|[smhd]))*)"
_WINDOW = (
    rf"(?:over|within|per|in|in every|every|in windows of|in (?P<share>[0-9.]+ ?%) of windows of) (?:any )?{_TIME}"
)
_SPOKEN = re.compile(rf"(?P<target>\S+) (?:{_WINDOW}|for {_TIME.replace('time', 'lasting')})")


class Spoken(Struct, frozen=True):
    """A time in words: the expression without it; the time, and in which share of windows; whether it follows `for`."""

    plain: str
    time: str
    share: str = ""
    lasts: bool = False

    def keys(self, lasting: str = "window") -> str:
        """The keys to write instead; `lasting`: the one for what must hold for a time."""
        share = f", in: {self.share}" if self.share else ""
        return f"{lasting if self.lasts else 'window'}: {self.time}{share}"


def spoken_window(expression: Expression) -> Spoken | None:
    """The window that the target of an expression ends with, if any."""
    target = " ".join(expression.target.split())
    found = _SPOKEN.fullmatch(target)
    if not found:
        return None
    plain = expression.text.removesuffix(target) + found["target"]
    time, share, lasting = found["time"], found["share"] or "", found["lasting"]
    return Spoken(plain, lasting or time, share.replace(" ", ""), lasts=lasting is not None)
