"""`soak init`."""

import re
from pathlib import Path

import click

from soak.runner.cli.options import json_option
from soak.runner.console import tell

STARTER = Path(__file__).with_name("starter.yaml")
_EDITOR = re.compile(rb"\$schema=\S+")
"""Where an editor finds the schema, in the first line of a file."""


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--from", "shipped", metavar="NAME", help="A shipped scenario or gate, such as 72h or gates/pr.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@json_option
def command(path: Path | None, shipped: str | None, force: bool, as_json: bool) -> int:
    """Write a commented scenario to start from, with the schema beside it for completion and hover texts in editors.

    Without PATH it is scenario.yaml, and with --from a file of the name that was asked for, in the current folder.

    \b
    Examples:
      soak init my-queue.yaml && soak run my-queue.yaml
      soak init --from 72h && soak run 72h.yaml
    """
    import json

    from soak.schemas.errors import UsageError, reason
    from soak.schemas.files import DIRECTORY

    content, name, kind = _original(shipped)
    path = path or Path(name)
    schema = path.with_name(f"{kind}.schema.json")
    if path.exists() and not force:
        raise UsageError(f"{path}: already exists (choose another name, or add --force)")
    try:
        path.write_bytes(_EDITOR.sub(b"$schema=" + schema.name.encode(), content, count=1))
        schema.write_bytes((DIRECTORY / schema.name).read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (choose another place)") from None
    if as_json:
        tell(json.dumps({"files": [str(path), str(schema)]}, indent=2))
        return 0
    try_it = "gate" if kind == "gate" else "run"
    tell(f"{path}: written, with {schema.name} beside it for your editor; try: soak {try_it} {path}")
    return 0


def _original(shipped: str | None) -> tuple[bytes, str, str]:
    """What to write, the name of its file, and of its schema. Raises UsageError."""
    if shipped is None:
        return STARTER.read_bytes(), "scenario.yaml", "scenario"
    from soak.runner.shipped import find, is_gate

    found = find(shipped)
    return found.read_bytes(), found.name, "gate" if is_gate(found) else "scenario"
