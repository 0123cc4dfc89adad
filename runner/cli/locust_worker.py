"""`soak locust-worker`."""

import click

from soak.runner.cli.options import Patience


@click.command("locust-worker")
@click.option(
    "--master",
    required=True,
    metavar="HOST:PORT",
    help="Address of the machine that `soak run --locust-master` was started on.",
)
@click.option("--name", metavar="NAME", help="Name of this worker in the evidence. [default: HOSTNAME-PID]")
@click.option(
    "--patience",
    "patience_s",
    type=Patience(),
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="How long to try to reach the master.",
)
def command(master: str, name: str | None, patience_s: float) -> int:
    """Send requests for a run on another machine, which tells this one everything: scenario, secrets, data.

    Start it on each machine that is to make load, with the same version of soak; it ends with the run. What they say to each
    other is not encrypted: use it in a network that you trust.

    Exit codes: 0 the run is over, 2 the master cannot be reached or refuses this worker, 1 the master is gone.

    \b
    Example:
      soak run shop.yaml --target http --locust-master 0.0.0.0:5557 --expect-workers 2    # on 10.0.0.5
      soak locust-worker --master 10.0.0.5:5557                                           # on two others
    """
    from soak.runner.load.options import address
    from soak.runner.load.standalone import work_for

    work_for(*address(master, "--master"), name, patience_s)
    return 0
