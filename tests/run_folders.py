"""Small run directories with a verdict and a manifest that agree and are sealed: what lists of runs read."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MADE = Path(__file__).parent / "evidence" / "v4" / "brief"
"""A finished run, of which the others are copies with other values."""


def run_folder(folder: Path, *, values: Mapping[str, float] | None = None, failed: str = "", **changed: Any) -> Path:
    """A sealed run: `values` are observed values of objectives by SLI, `failed` the SLI of a broken one, `changed` fields of
    verdict and manifest (each has those that it knows)."""
    folder.mkdir(parents=True)
    verdict, manifest = (json.loads((MADE / name).read_text()) for name in ("verdict.json", "run_manifest.json"))
    for each in verdict["objectives"]:
        if values and each["sli"] in values:
            value = values[each["sli"]]
            away = value - each["target"]
            each |= {"value": value, "margin": away if each["op"] == ">=" else -away, "interval": [value, value]}
        if each["sli"] == failed:
            each["status"] = "FAIL"
    for document in (verdict, manifest):
        document |= {name: value for name, value in changed.items() if name in document}
    write(folder, "verdict.json", json.dumps(verdict))
    write(folder, "run_manifest.json", json.dumps(manifest))
    shutil.copy(MADE / "scenario.yaml", folder)
    seal(folder)
    return folder


def write(folder: Path, name: str, content: str) -> None:
    """Write a file of a run directory, leaving its checksums as they are."""
    (folder / name).write_text(content, encoding="utf-8")


def seal(folder: Path) -> None:
    """Write the checksums of all files."""
    sums = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS"
    )
    write(folder, "SHA256SUMS", "".join(sums))
