"""The page of all commands: what `--help` says of each."""

import click

from soak.runner.cli import _GROUPS, cli

_INTRODUCTION = """\
# Commands

What `soak COMMAND --help` says of each. Exit codes of `soak run`: 0 PASS, 3 FAIL, 4 ABORTED, 5 INCONCLUSIVE, 2 wrong scenario or
usage, 130 interrupted, 1 the run failed midway.
"""


def page() -> str:
    """All commands under their headings, in Markdown."""
    parts = [_INTRODUCTION]
    top = click.Context(cli, info_name="soak", max_content_width=100, terminal_width=100)
    for heading, names in _GROUPS.items():
        parts.append(f"## {heading}\n")
        for name in names:
            command = cli.get_command(top, name)
            assert command is not None
            parts += _helped(command, name, top, "###")
    return "\n".join(parts)


def _helped(command: click.Command, name: str, parent: click.Context, level: str) -> list[str]:
    own = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    parts = [f"{level} {own.command_path}\n", f"````text\n{command.get_help(own)}\n````\n"]
    if isinstance(command, click.Group):
        for each in command.list_commands(own):
            inner = command.get_command(own, each)
            assert inner is not None
            parts += _helped(inner, each, own, f"{level}#")
    return parts
