"""Keys that have another name here, or another place: what others call a setting, and labels beside an objective."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from soak.schemas.language.expression import SLI_NAME

_LABELS = frozenset({"tenant", "kind", "phase"})
_VALUE = re.compile(r"[A-Za-z0-9_.*-]{1,60}")
_SHORT = re.compile(r"[A-Za-z0-9_.]{1,30}")
_SLI = re.compile(rf"\s*({SLI_NAME})\s*(?:\{{([^{{}}]*)\}})?")

Say: TypeAlias = Callable[[str], str]

_OTHERS: tuple[tuple[frozenset[str], frozenset[str], Say], ...] = (
    (
        frozenset({"visibilitytimeout"}),
        frozenset({"lease", "heartbeat"}),
        lambda value: f"write lease: {{duration: {value or '30s'}, heartbeat: none}}",
    ),
    (
        frozenset({"maxreceivecount", "deliverylimit", "xdeliverylimit"}),
        frozenset({"max_deliveries"}),
        lambda value: f"write max_deliveries: {value or '5'}",
    ),
    (
        frozenset({"acksearly", "acklate", "ackslate", "noack", "autoack"}),
        frozenset({"ack"}),
        lambda _: "write ack: early, or ack: late",
    ),
)
"""What others call it, without `_` and `-`; a key that is known where it belongs; what to write."""


def known_elsewhere(key: str, data: Mapping[str, Any], known: Collection[str]) -> str | None:
    """What to write in place of a key that is not one of `known`, where it has another name or place; None for others."""
    value = data[key]
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if key in _LABELS and (condition := {"objective", "when"} & set(known)):
        return _as_label(key, text, data, min(condition))
    word = re.sub("[_-]", "", key).lower()
    for words, beside, say in _OTHERS:
        if word in words and not beside.isdisjoint(known):
            return say(text if _SHORT.fullmatch(text) else "")
    return None


def _as_label(label: str, value: str, data: Mapping[str, Any], place: str) -> str:
    found = _SLI.match(str(data.get(place, "")))
    sli = found[1] if found else "latency_p95"
    before = f"{found[2].strip()}, " if found and found[2] and found[2].strip() else ""
    written = f"{sli}{{{before}{label}={value if _VALUE.fullmatch(value) else '…'}}}"
    return f"select it in the {'objective' if place == 'objective' else 'condition'}: {written}"[:200]
