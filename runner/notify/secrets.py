"""Where secrets come from: the environment or files, never the scenario."""

import os
from pathlib import Path

from schemas.errors import UsageError
from schemas.model import Notify


def url_of(notify: Notify, folder: Path) -> str:
    """The URL of someone to tell. Raises UsageError that names where it should be, and not what is there."""
    if notify.from_env:
        url = os.environ.get(notify.from_env, "").strip()
        where = f"the environment variable {notify.from_env}"
    else:
        path = folder / str(notify.from_file)
        where = str(notify.from_file)
        try:
            url = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise UsageError(f"notify: {where}: {reason} (put the URL there)") from None
    if not url:
        raise UsageError(f"notify: {where} is not set (put the URL there)")
    return url
