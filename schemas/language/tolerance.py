"""How far an indicator may be apart in two runs of one scenario and seed, a simulated and a real one."""

from collections.abc import Mapping

from msgspec import Struct

from soak.schemas.language.expression import Unit


class Tolerance(Struct, frozen=True):
    """The largest difference: `absolute` in base units, a share of the base's value, or `real_s` of the real clock.

    The largest of the three counts. A second of the real clock is `speed` seconds of scenario time, and so are the
    overheads of a real system that a model does not have. because: why it is as large as that, where it is of these two runs.
    """

    absolute: float = 0.0
    relative: float = 0.0
    real_s: float = 0.0
    because: str = ""

    def allowed(self, base: float, speed: float) -> float:
        """The largest difference from `base`, in base units."""
        return max(self.absolute, self.relative * abs(base), self.real_s * speed)

    def words(self, unit: Unit) -> str:
        """The tolerance for people."""
        parts = [f"{self.relative * 100:g} %"] if self.relative else []
        parts += [self._share(unit)] if self.absolute else []
        parts += [f"{self.real_s:g} s on the real clock"] if self.real_s else []
        return (" or ".join(parts) or "exact") + (f" ({self.because})" if self.because else "")

    def _share(self, unit: Unit) -> str:
        if unit is not Unit.RATIO:
            return unit.show(self.absolute)
        points = round(self.absolute * 100, 2)
        return f"{points:g} point{'' if points == 1 else 's'}"


OVERHEAD_S = 0.05
"""What a real system may take for each task on top of what a model does, in seconds of the real clock."""

EXACT = Tolerance()
TIME = Tolerance(relative=0.10, real_s=OVERHEAD_S)
WAIT = Tolerance(relative=0.20, real_s=OVERHEAD_S)
EXTREME = Tolerance(relative=0.25, real_s=0.5)
SHARE = Tolerance(absolute=0.02)
TOTAL = Tolerance(relative=0.02)
FEW = Tolerance(absolute=2, relative=0.10)

BY_UNIT: Mapping[Unit, Tolerance] = {
    Unit.RATIO: SHARE,
    Unit.DURATION: TIME,
    Unit.COUNT: Tolerance(absolute=1, relative=0.05),
    Unit.RATE: Tolerance(relative=0.05),
    Unit.SIZE: Tolerance(relative=0.10),
}
"""Of an indicator for which nothing else is said; slopes are not compared: near zero their size says nothing."""
