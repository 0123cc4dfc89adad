"""Adapters: target files that come with soak, for systems that do not."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "systems" / "adapters"
TARGET, REQUIREMENTS = "target.yaml", "requirements.txt"


def adapters() -> dict[str, Path]:
    """The target file of each adapter, by its name, which is that of its folder."""
    return {path.parent.name: path for path in sorted(FOLDER.glob(f"*/{TARGET}"))}
