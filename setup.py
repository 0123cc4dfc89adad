"""A wheel of what `python -m soak.simulation.compiled --into-package` built is of this platform; without it, of any."""

from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

ROOMS = ("schemas", "simulation", "runner", "reports")
BUILT = [path for room in ROOMS for path in Path(room).rglob("*-*-*.so")]


class PlatformWheel(bdist_wheel):
    """Libraries are loaded by ctypes: any Python 3 of the platform will do."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, its interface, platform."""
        return "py3", "none", super().get_tag()[2]


class Compiled(Distribution):
    """One with libraries."""

    def has_ext_modules(self) -> bool:
        """What setuptools asks to know whether a wheel is of one platform."""
        return True


setup(**({"distclass": Compiled, "cmdclass": {"bdist_wheel": PlatformWheel}} if BUILT else {}))
