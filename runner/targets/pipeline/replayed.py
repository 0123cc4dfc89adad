"""Whether a target file has its source send the records of the plan."""

from soak.schemas.target.load import LoadedTarget

_NAME = "{replay}"


def plays_back(loaded: LoadedTarget) -> bool:
    """Whether one of its texts names the file with the records of the plan."""
    return _NAME in repr(loaded.file)
