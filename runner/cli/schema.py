"""`soak schema`."""

import click

from soak.runner.console import hand_over, remark


@click.command("schema")
@click.argument("name", default="scenario", required=False)
@click.option("--catalog", is_flag=True, help="The entries for SchemaStore: which files each schema is for.")
def command(name: str, catalog: bool) -> int:
    """Print the JSON Schema of scenarios (the default), of target files, or of an evidence file.

    With this line at the top of a scenario, an editor with a YAML language server completes and explains it:

    \b
      # yaml-language-server: $schema=path/to/scenario.schema.json

    \b
    Examples:
      soak schema > scenario.schema.json
      soak schema verdict
      soak schema --catalog
    """
    from soak.schemas.errors import UsageError
    from soak.schemas.files import DIRECTORY
    from soak.schemas.language.registry import use_all
    from soak.schemas.language.schema import read_schema, written
    from soak.schemas.language.shape import did_you_mean

    if catalog:
        hand_over((DIRECTORY / "catalog.json").read_text(encoding="utf-8"), nl=False)
        return 0
    names = sorted(path.name.removesuffix(".schema.json") for path in DIRECTORY.glob("*.schema.json"))
    if name not in names:
        raise UsageError(f"no schema {name!r} ({did_you_mean(name, names)})")
    if name == "scenario":
        for why in use_all():
            remark(f"warning: {why}")
        hand_over(written(read_schema(name)), nl=False)
    else:
        hand_over((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"), nl=False)
    return 0
