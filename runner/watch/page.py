"""The page of the dashboard, one file."""

from pathlib import Path

_PAGE = Path(__file__).with_name("dashboard.html")


def page(paths: list[Path]) -> bytes:
    """The page that shows the runs in these directories."""
    return _PAGE.read_bytes()
