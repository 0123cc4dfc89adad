"""How a process ended, as the error of the cause of its exit: `exit_0`, `exit_1`, `SIGKILL`; `died` where it is not known."""

import signal

UNKNOWN, CLEAN = "died", "exit_0"


def exit_word(code: int | None) -> str:
    """The word for an exit status, negative for a signal."""
    if code is None:
        return UNKNOWN
    if code >= 0:
        return f"exit_{code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal_{-code}"
