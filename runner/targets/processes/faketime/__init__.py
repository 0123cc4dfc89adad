"""A faster clock for programs that do not know of it. Knows no system.

- `clock.FakeClock(factor, directory)`: `environment` of all programs, `now()`, `jump(by_s)`; `fake_clock_of(file, directory)`.
- `clock.c`: what runs in each program, loaded by LD_PRELOAD, built with the machine's compiler.
- `fitness`: programs that it has no effect on: static, in Go, with rights of another user, without the variable.
- `trial.measured(clock)`: how fast each kind of wait runs with it, by `waits.py`, a program of its own.
- `pulse.Pulse`: a program under the clock whose waits are measured during a run.
- `of_run.RunClock`: all of it for one run; nothing where programs have our clock.
"""
