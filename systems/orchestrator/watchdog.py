"""Takes back tasks whose lease is over: `python -m soak.systems.orchestrator.watchdog --config FILE --name watchdog`."""

import argparse

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.db_store import BusyError
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.process import Lifetime, log, main, open_store
from soak.systems.orchestrator.settings import Settings


def work(settings: Settings, asked: argparse.Namespace, lifetime: Lifetime) -> None:
    """Look at the leases until the end of the process."""
    if (store := open_store(settings, lifetime, asked.name)) is None:
        return
    with store:
        for _ in lifetime.ticks(settings.watchdog_interval_s):
            if defects.active(Defect.WATCHDOG_ASLEEP):
                continue
            try:
                if recovered := store.recover_expired():
                    log(asked.name, f"{recovered} expired leases")
            except BusyError as error:
                log(asked.name, error)


if __name__ == "__main__":
    raise SystemExit(main(work))
