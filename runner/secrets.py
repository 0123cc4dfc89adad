"""Where secrets come from: the environment or files, never the scenario."""

import os
from pathlib import Path

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
