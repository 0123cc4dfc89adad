"""`soak init`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option
from soak.runner.console import tell

STARTER = Path(__file__).with_name("starter.yaml")
SCHEMA = "scenario.schema.json"


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=Path("scenario.yaml"), required=False)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@json_option
def command(path: Path, force: bool, as_json: bool) -> int:
    """Write a commented scenario to start from, with the schema beside it for completion and hover texts in editors.

    \b
    Example:
      soak init my-queue.yaml && soak run my-queue.yaml
    """
    import json

    from soak.schemas.errors import UsageError, reason
    from soak.schemas.files import DIRECTORY

    schema = path.with_name(SCHEMA)
    if path.exists() and not force:
        raise UsageError(f"{path}: already exists (choose another name, or add --force)")
    try:
        path.write_bytes(STARTER.read_bytes())
        schema.write_bytes((DIRECTORY / SCHEMA).read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (choose another place)") from None
    if as_json:
        tell(json.dumps({"files": [str(path), str(schema)]}, indent=2))
        return 0
    tell(f"{path}: written, with {schema.name} beside it for your editor; try: soak run {path}")
    return 0
