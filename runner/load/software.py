"""What a process makes load with: two processes where this is the same make the same requests of one plan."""

import platform
from importlib.metadata import PackageNotFoundError, version


def software() -> str:
    """Versions of what computes the plan and sends the requests."""
    parts = [f"{name} {_version(package)}" for name, package in _PACKAGES]
    return ", ".join([*parts, f"Python {platform.python_version()}"])


_PACKAGES = (("soak", "soak-runner"), ("numpy", "numpy"), ("Locust", "locust"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
