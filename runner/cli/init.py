"""`soak init`."""

import re
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from soak.runner import completing
from soak.runner.cli.options import json_option
from soak.runner.console import remark, tell

_EDITOR = re.compile(rb"\$schema=\S+")
_TRY = re.compile(rb"^(# Try: soak run )scenario\.yaml\b", re.MULTILINE)
"""Where an editor finds the schema, in the first line of a file."""


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--template",
    metavar="NAME",
    help="What to start from, such as calls or attached; see --list.",
    shell_complete=completing.templates,
)
@click.option(
    "--from",
    "shipped",
    metavar="NAME",
    shell_complete=completing.shipped,
    help="A template, or a shipped scenario or gate, such as 72h or gates/pr.",
)
@click.option(
    "--url", metavar="URL", help="The service to ask, for --from http; with a path, that is what is requested."
)
@click.option("--list", "listing", is_flag=True, help="List the templates, and the shipped scenarios and gates.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@json_option
def command(
    path: Path | None,
    template: str | None,
    shipped: str | None,
    url: str | None,
    listing: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Write a commented scenario to start from, with the schema beside it for completion and hover texts in editors.

    Comments mark what to change first. Without PATH it is scenario.yaml in the current folder; with --template or --from a
    file of the name that was asked for.

    \b
    Examples:
      soak init my-queue.yaml && soak run my-queue.yaml
      soak init --template calls && soak run calls.yaml
      soak init --from 72h && soak run 72h.yaml
      soak init --from http --url http://127.0.0.1:8000 && soak run http.yaml --target http
    """
    import json

    if listing:
        return _list(as_json=as_json)
    if template and shipped:
        raise click.UsageError("--template and --from: give one of them")
    original = _shipped(shipped) if shipped else _template(template)
    if url is not None:
        original = _asking(original, url)
    path = path or Path(original.name)
    written = _write(original, path, force=force)
    if as_json:
        tell(json.dumps({"files": [str(each) for each in written]}, indent=2))
        return 0
    others = ", ".join(each.name for each in written[1:])
    tell(f"{path}: written, with {others} beside it; try: {original.command.format(path=path)}")
    return 0


class _Original(Struct, frozen=True):
    """What is written: a file, its name, the kind of its schema, files beside it, and the command to try, with `{path}`."""

    content: bytes
    name: str
    kind: str
    beside: tuple[Path, ...]
    command: str


def _template(name: str | None) -> _Original:
    """Raises UsageError."""
    from soak.runner.templates import DEFAULT, find_template

    found = find_template(name or DEFAULT)
    command = found.command(Path("{path}"))
    return _Original(found.scenario.read_bytes(), f"{name or 'scenario'}.yaml", "scenario", found.beside, command)


def _shipped(name: str) -> _Original:
    """Raises UsageError."""
    from soak.runner.shipped import find, is_gate, names
    from soak.runner.templates import templates

    if name not in names() and name in templates()[0]:
        return _template(name)
    found = find(name)
    kind, word = ("gate", "gate") if is_gate(found) else ("scenario", "run")
    return _Original(found.read_bytes(), found.name, kind, (), f"soak {word} {{path}}")


def _asking(original: _Original, url: str) -> _Original:
    """A scenario with the service at `url` instead of its own. Raises UsageError."""
    from soak.runner.templates import with_url
    from soak.schemas.errors import UsageError

    content = with_url(original.content.decode(), url)
    if content is None:
        raise UsageError(f"--url: {original.name} asks no service at a URL (add --from http)")
    return replace(original, content=content.encode())


def _write(original: _Original, path: Path, *, force: bool) -> list[Path]:
    """Returns the files that were written. Raises UsageError."""
    from soak.schemas.errors import UsageError, reason
    from soak.schemas.files import DIRECTORY

    schema = path.with_name(f"{original.kind}.schema.json")
    contents = {path: _EDITOR.sub(b"$schema=" + schema.name.encode(), original.content, count=1)}
    contents[path] = _named(contents[path], path)
    contents |= {path.with_name(each.name): each.read_bytes() for each in original.beside}
    for each in contents:
        if each.exists() and not force:
            raise UsageError(f"{each}: already exists (choose another name or folder, or add --force)")
    contents[schema] = (DIRECTORY / schema.name).read_bytes()
    for each, content in contents.items():
        try:
            each.write_bytes(content)
        except OSError as error:
            raise UsageError(f"{each}: {reason(error)} (choose another place)") from None
    return list(contents)


def _named(content: bytes, path: Path) -> bytes:
    """A scenario whose first lines say how to run it, under its own name."""
    return _TRY.sub(lambda found: found[1] + path.name.encode(), content, count=1)


def _list(*, as_json: bool) -> int:
    import json

    from soak.runner.shipped import names
    from soak.runner.templates import templates

    found, broken = templates()
    if as_json:
        listed = {name: each.title for name, each in found.items()}
        tell(json.dumps({"templates": listed, "shipped": list(names())}, indent=2))
        return 0
    width = max(map(len, found))
    tell("\n".join(["soak init --template", *(f"  {name:{width}}  {each.title}" for name, each in found.items())]))
    tell("\n".join(["soak init --from", *(f"  {name}" for name in names())]))
    for why in broken:
        remark(f"warning: {why}")
    return 0
