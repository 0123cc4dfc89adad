"""What of a scenario is otherwise with a target, such as how its supervisor restarts: laid over the scenario."""

from soak.schemas.errors import Mark, Where
from soak.schemas.language.document import Document
from soak.schemas.target.load import LoadedTarget

KEY = "conventions"


def conventions_of(target: LoadedTarget) -> Document | None:
    """The conventions of a target file as an overlay, whose places are those in the file; None without any."""
    if not target.file.conventions:
        return None
    whole = target.document

    def inside(marks: dict[Where, Mark]) -> dict[Where, Mark]:
        return {where[1:]: mark for where, mark in marks.items() if where[:1] == (KEY,)}

    return Document(whole.source, dict(target.file.conventions), whole.content, inside(whole.marks), inside(whole.keys))
