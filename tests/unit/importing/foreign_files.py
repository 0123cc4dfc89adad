"""Files of other tools, imported."""

from pathlib import Path
from typing import Any

import pytest

from soak.runner.importing.part import Imported, base_of
from soak.runner.importing.session import import_file
from soak.schemas.errors import ScenarioError
from soak.schemas.files import Folders
from soak.schemas.language.document import parse_document
from soak.schemas.language.load import Loaded, Sources


def imported(folder: Path, text: str, system: str = "queue") -> Imported:
    path = folder / "foreign.yaml"
    path.write_text(text)
    return import_file(path, system)


def refusal(folder: Path, text: str) -> str:
    """What is wrong with a file, without its folder."""
    with pytest.raises(ScenarioError) as caught:
        imported(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


def loaded(part: dict[str, Any], system: str = "queue", **more: Any) -> Loaded:
    """A scenario with a part. Raises ScenarioError."""
    import json

    base = base_of(system)
    workload = {**base["workload"], **part.get("workload", {}), **more.pop("workload", {})}
    if "users" in workload:
        workload.pop("arrivals", None)
    document = parse_document(json.dumps({**base, **part, **more, "workload": workload}), "part")
    return Sources(Path("part"), document, (), Folders([Path()])).load()
