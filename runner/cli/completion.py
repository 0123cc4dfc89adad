"""`soak completion`."""

import click

from soak.runner.console import hand_over

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the shell completion script for commands and options.

    \b
    Example:
      soak completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    from soak.runner.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    hand_over(kind(cli, {}, "soak", "_SOAK_COMPLETE").source())
    return 0
