"""Where secrets come from: the environment or files, never the scenario."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

from soak.schemas.errors import UsageError, reason
from soak.schemas.language.outlets import Secret


def secret_of(secret: Secret, folder: Path, key: str, kind: str) -> str:
    """The secret of `kind` that the scenario refers to at `key`. Raises UsageError, which names its place, never its value."""
    remedy = f"put the {kind} there"
    if secret.from_env:
        value = os.environ.get(secret.from_env, "").strip()
    else:
        path = folder / str(secret.from_file)
        if path.exists() and not path.is_file():
            raise UsageError(f"{key}: {secret.place}: is not a regular file ({remedy})")
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "is not text"
            raise UsageError(f"{key}: {secret.place}: {why} ({remedy})") from None
    if not value:
        raise UsageError(f"{key}: {secret.place} is not set ({remedy})")
    return value


HIDDEN = "***"
_CUT = "…"
_LEAST_PART = 4
"""Of a secret that a message cuts short, a beginning of this length is still taken for it."""


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text for people or files, with every secret in it replaced: also one that is quoted, encoded or cut short there."""
    for secret in secrets:
        forms = sorted(_forms(secret), key=len, reverse=True)
        for form in forms:
            text = text.replace(form, HIDDEN)
        *cut, rest = text.split(_CUT)
        text = _CUT.join([*(_without_part(piece, forms) for piece in cut), rest])
    return text


def _forms(secret: str) -> set[str]:
    """How a text may show it: as it is, in quotes, in JSON, in a URL."""
    escaped = secret.replace("\\", "\\\\")
    quotes = {
        escaped,
        escaped.replace("'", "\\'"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    return {secret, *quotes, quote(secret), quote(secret, safe=""), quote_plus(secret)} - {""}


def _without_part(piece: str, forms: Iterable[str]) -> str:
    """A text that is cut short, without the longest beginning of a form of a secret that it ends with."""
    ends = max((_begun(piece, form) for form in forms), default=0)
    return piece[: len(piece) - ends] + HIDDEN if ends else piece


def _begun(piece: str, form: str) -> int:
    lengths = range(min(len(form) - 1, len(piece)), _LEAST_PART - 1, -1)
    return next((length for length in lengths if piece.endswith(form[:length])), 0)
