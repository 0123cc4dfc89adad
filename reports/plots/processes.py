"""Resource usage of the processes of a real run: memory, CPU and open files."""

from typing import Any

import numpy as np

from soak.reports.data import ProcessSamples, RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, dashes, figure, to_svg
from soak.reports.plots.marks import bands
from soak.reports.plots.scale import scale, span_axis
from soak.schemas.stream.block import Floats
from soak.schemas.stream.processes import RUNNER


def plot(run: RunData) -> bytes | None:
    """Memory above, CPU in the middle, open files below: workers in grey, each other process in its own colour."""
    if not run.processes:
        return None
    fig, (memory, cpu, files) = figure(3, 6.4, ratios=(3, 2, 2))
    named: set[str] = set()
    for name, samples in run.processes.items():
        kind = _kind(name)
        label = kind if kind not in named else None
        named.add(kind)
        thin = kind == "workers"
        look: dict[str, Any] = {
            "color": _colour(kind),
            "lw": 0.8 if thin else 1.5,
            "alpha": 0.6 if thin else 1.0,
            "ls": _dashes(kind),
        }
        memory.plot(samples.t_s, samples.rss_bytes, label=label, **look)
        cpu.plot(samples.t_s[1:], _share(samples, run.manifest.speed), **look)
        files.plot(samples.t_s, samples.open_files, **look)
    memory.set_title("Memory of each process")
    scale(memory.yaxis, Form.BYTES)
    cpu.set_title("CPU of each process")
    cpu.set_ylabel("% of a core")
    files.set_title("Open files of each process")
    files.set_ylabel("files")
    for axes in (memory, cpu, files):
        axes.set_ylim(bottom=0)
        bands(axes, run, labelled=axes is memory)
    span_axis(files, run.verdict.ended_s)
    return to_svg(fig)


def _kind(name: str) -> str:
    return "workers" if name.startswith("w") and name[1:].isdigit() else name


def _colour(kind: str) -> str:
    return {"workers": GREY, RUNNER: RED, "watchdog": GREEN, "dispatcher0": BLUE}.get(kind, ORANGE)


def _dashes(kind: str) -> Any:
    return dashes({RUNNER: 1, "watchdog": 2, "dispatcher0": 0, "workers": 0}.get(kind, 3))


def _share(samples: ProcessSamples, speed: float) -> Floats:
    """Between two samples, in percent of a core; unknown if the process restarted."""
    used_s, real_s = np.diff(samples.cpu_s), np.diff(samples.t_s) / speed
    return np.where((used_s >= 0) & (real_s > 0), 100 * used_s / np.maximum(real_s, 1e-9), np.nan)
