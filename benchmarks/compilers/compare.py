"""One kernel compiled in several ways: `python benchmarks/compilers/compare.py`, in an environment with requirements.txt.

Every measurement is a process of its own that imports NumPy and the way, runs the kernel once (cold: nothing built or cached;
warm: built and cached) and then several times more. CPU seconds of the process and its children, the ways in turn; figures
are medians, as ratios to a call of the Python. Ways that are not there (no compiler, no rustc, a package missing) are left out.
"""

import ctypes
import hashlib
import importlib.util
import json
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNT, SERVERS, TRIES, CALLS = 25_000, 10, 3, 5
PACKAGES = {
    "numba": ("numba", "llvmlite"),
    "cython": ("Cython",),
    "mypyc": ("mypy", "mypy_extensions", "pathspec", "librt"),
    "cffi": ("cffi", "pycparser"),
}
FLAGS = ("-O2", "-fPIC", "-shared", "-ffp-contract=off")


def module(path):
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(path.name.partition(".")[0], path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.run


def once(target, *command, folder):
    """Build `target` with a command, unless it is there."""
    if not list(folder.glob(target)):
        subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return next(folder.glob(target))


def python(folder):
    """Plain Python."""
    return listed(module(HERE / "model.py"))


def listed(run):
    """`run` takes lists."""
    return lambda *given: run(*given[:2], *(each.tolist() for each in given[2:]))


def mypyc(folder):
    """The same file, compiled."""
    shutil.copy(HERE / "model.py", folder / "model.py")
    return listed(module(once("model.*.so", sys.executable, "-m", "mypyc", "model.py", folder=folder)))


def numba(folder):
    """Numba keeps its cache beside the source."""
    if not (folder / "by_numba.py").exists():
        shutil.copy(HERE / "by_numba.py", folder)
    return module(folder / "by_numba.py")


def cython(folder):
    """A C extension."""
    shutil.copy(HERE / "by_cython.pyx", folder)
    include = f"-I{sysconfig.get_path('include')}"
    once("by_cython.c", sys.executable, "-m", "cython", "by_cython.pyx", folder=folder)
    return module(once("by_cython.so", "cc", *FLAGS, include, "by_cython.c", "-o", "by_cython.so", folder=folder))


def c(folder):
    """A library, by ctypes."""
    return by_ctypes(once("kernel_c.so", "cc", *FLAGS, str(HERE / "kernel.c"), "-o", "kernel_c.so", folder=folder))


def rust(folder):
    """A library, by ctypes: rustc alone."""
    words = ("rustc", "-O", "-C", "strip=symbols", "--crate-type", "cdylib", str(HERE / "kernel.rs"), "-o", "rust.so")
    return by_ctypes(once("rust.so", *words, folder=folder))


def by_ctypes(path):
    """`run` of a library."""
    return on_arrays(ctypes.CDLL(str(path)).run, ctypes.c_int64, lambda each: ctypes.c_void_p(each.ctypes.data))


def cffi(folder):
    """The same library, by cffi's own interface."""
    from cffi import FFI

    ffi, path = FFI(), once("kernel_c.so", "cc", *FLAGS, str(HERE / "kernel.c"), "-o", "kernel_c.so", folder=folder)
    arrays = "const double*, const double*, const double*, const int64_t*, double*, int64_t*"
    ffi.cdef(f"int run(int64_t, int64_t, int64_t, {arrays});")
    kinds = {"float64": "double[]", "int64": "int64_t[]"}
    return on_arrays(ffi.dlopen(str(path)).run, int, lambda each: ffi.from_buffer(kinds[str(each.dtype)], each))


def on_arrays(run, number, array):
    """`run` fills arrays."""
    import numpy as np

    def call(servers, tries, *given):
        ended_s, attempts = np.zeros(len(given[0])), np.zeros(len(given[0]), np.int64)
        if run(number(servers), number(tries), number(len(given[0])), *map(array, (*given, ended_s, attempts))):
            raise MemoryError
        return ended_s, attempts

    return call


WAYS = {each.__name__: each for each in (python, mypyc, numba, cython, c, cffi, rust)}


def measured(way, folder):
    """CPU seconds of importing with the first call and of a later call, bytes built, and a hash of the results."""
    import numpy as np

    drawn = np.random.default_rng(1)
    arrays = [drawn.exponential(1.0, COUNT).cumsum(), *drawn.exponential(8.0, (2, COUNT * TRIES))]
    fails = (drawn.random(COUNT * TRIES) < 0.1).astype(np.int64)
    begin = cpu_s()
    run = WAYS[way](folder)
    ended_s, attempts = run(SERVERS, TRIES, *arrays, fails)
    first = cpu_s() - begin
    later = []
    for _ in range(CALLS):
        begin = time.process_time()
        run(SERVERS, TRIES, *arrays, fails)
        later.append(time.process_time() - begin)
    result = hashlib.sha256(np.asarray(ended_s).tobytes() + np.asarray(attempts, np.int64).tobytes()).hexdigest()
    events = 2 * int(np.sum(attempts))  # an arrival or a retry, and an end
    return {"first": first, "later": statistics.median(later), "result": result, "events": events}


def cpu_s():
    """Of this process and of those it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def installed_mb(way):
    """Size of the packages that a way needs."""
    total = 0
    for name in PACKAGES.get(way, ()):
        with suppress(PackageNotFoundError):
            paths = [Path(str(each.locate())) for each in distribution(name).files or ()]
            total += sum(path.stat().st_size for path in paths if path.is_file())
    return total / 1e6


def in_process(way, folder):
    """`measured` in a process of its own; None where the way is not there."""
    done = subprocess.run([sys.executable, __file__, way, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"{way}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}\n")
        return None
    return json.loads(done.stdout)


def main(rounds=5):
    """Print the table."""
    found = {way: {"cold": [], "warm": []} for way in WAYS}
    for _ in range(rounds):
        for way in list(found):
            with tempfile.TemporaryDirectory() as folder:
                for state in ("cold", "warm"):
                    figures = in_process(way, folder)
                    if figures is None:
                        found.pop(way)
                        break
                    found[way][state].append(figures)
    results = {each["result"] for way in found.values() for state in way.values() for each in state}
    unit = statistics.median(each["later"] for each in found["python"]["warm"])
    print(
        f"{found['python']['warm'][0]['events']} events; results equal: {len(results) == 1}; 1 is a call of the Python"
    )
    print(f"{'way':8} {'cold start':>11} {'warm start':>11} {'a call':>8} {'packages, MB':>13}")
    for way, states in found.items():
        cold, warm = (statistics.median(each["first"] for each in states[state]) / unit for state in ("cold", "warm"))
        call = statistics.median(each["later"] for each in states["warm"]) / unit
        print(f"{way:8} {cold:11.2f} {warm:11.3f} {call:8.3f} {installed_mb(way):13.1f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
    else:
        main(*map(int, sys.argv[1:]))
