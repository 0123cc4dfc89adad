"""Whether a document is a target file: without what reads one, which `soak validate` needs for few files."""

from soak.schemas.language.document import Document
from soak.schemas.language.schema import read_schema


def describes_a_target(document: Document) -> bool:
    """Whether a document is a target file and not a scenario, by its keys."""
    if not isinstance(document.data, dict) or "workload" in document.data:
        return False
    own = read_schema("target")["properties"].keys() - read_schema("scenario")["properties"].keys()
    return not own.isdisjoint(document.data)
