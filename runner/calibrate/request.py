"""What `soak calibrate` is asked."""

from pathlib import Path

from msgspec import Struct


class Request(Struct, frozen=True):
    """Which parameters does the model need to predict the run in the directory `run`?

    `hold_back`: share of the run that checks the model. `for_speed`: of the runs the model is for, None: of this run.
    `estimates`: take them also where the scenario's own value could be right. `least`: how far out of a prediction does not
    matter. `seed`: of the `replications`. `out`: a directory, or a .yaml file for a copy of the overlay.
    """

    run: Path
    hold_back: float
    replications: int
    for_speed: float | None
    estimates: bool
    least: float
    seed: int
    out: Path | None = None

    @property
    def copy(self) -> Path | None:
        """The file for a copy of the overlay."""
        return self.out if self.out and self.out.suffix in {".yaml", ".yml"} else None
