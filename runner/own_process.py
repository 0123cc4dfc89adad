"""Whether this process is `soak`, and not one of somebody who imports it: then what only others need is left out."""

_ours = False


def claim() -> None:
    """This process does nothing but run one command."""
    global _ours  # noqa: PLW0603 - a process is ours or not, for its whole life
    _ours = True


def is_ours() -> bool:
    """Whether nobody else has code in this process."""
    return _ours
