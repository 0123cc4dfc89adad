"""The operator's commands: `python -m soak.systems.orchestrator.ops --db FILE status`."""

from pathlib import Path

import click

from soak.systems.orchestrator.command_line import StoreGroup, open_from, stamped
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.metrics_aggregate import aggregate

_WHO = "operator"
_FILE = click.Path(path_type=Path, dir_okay=False)
id_option = click.option("--id", "task_id", type=click.IntRange(min=1), required=True, help="Number of the task.")


@click.group(cls=StoreGroup)
@click.option("--db", type=_FILE, help="The database.")
@click.option("--config", type=_FILE, help="Settings, JSON; they name the database.")
@click.pass_context
def ops(ctx: click.Context, db: Path | None, config: Path | None) -> None:
    """Look at the queue, and step in."""
    ctx.obj = ctx.with_resource(open_from(db, config, create=False))


@ops.command()
@click.pass_obj
def status(store: Store) -> None:
    """Say how many tasks are in each state, and what waits."""
    now = store.snapshot()
    for state, n in now.counts.items():
        click.echo(f"{state:<12}{n:>8}")
    click.echo(f"due: {now.due_pending}, the oldest for {now.oldest_due_s:.1f} s")
    click.echo(f"workers: {now.busy_workers} of {now.workers} busy")


@ops.command()
@click.pass_obj
def workers(store: Store) -> None:
    """List the registered workers."""
    for worker in store.workers():
        doing = f"busy with task {worker.task_id}" if worker.busy else "idle"
        click.echo(f"{worker.name:<16}pid {worker.pid:<8}{doing}")


@ops.command()
@id_option
@click.option("--notes", default="", help="Why.")
@click.pass_obj
def cancel(store: Store, task_id: int, notes: str) -> None:
    """Take a task out of the queue."""
    store.cancel(task_id, stamped(_WHO, "cancelled", notes))
    click.echo(f"task {task_id} is CANCELLED")


@ops.command()
@id_option
@click.option("--notes", required=True, help="What is different now.")
@click.pass_obj
def replan(store: Store, task_id: int, notes: str) -> None:
    """Start a BLOCKED or FAILED task anew, with all its attempts."""
    if not notes.strip():
        raise click.BadParameter("say what is different now", param_hint="--notes")
    store.replan(task_id, stamped(_WHO, "replanned", notes))
    click.echo(f"task {task_id} is PENDING")


@ops.command()
@id_option
@click.option("--notes", default="", help="Why.")
@click.pass_obj
def retry(store: Store, task_id: int, notes: str) -> None:
    """Give a FAILED task one more attempt."""
    store.retry(task_id, stamped(_WHO, "retried", notes))
    click.echo(f"task {task_id} is PENDING")


@ops.command()
@click.pass_obj
def kpi(store: Store) -> None:
    """Show success rate, latencies, retries and errors."""
    figures = aggregate(store)
    success = "-" if figures.success_rate is None else f"{figures.success_rate:.2%}"
    click.echo(f"success_rate  {success}")
    click.echo(f"latency_p50   {_seconds(figures.latency_p50_s)}")
    click.echo(f"latency_p95   {_seconds(figures.latency_p95_s)}")
    click.echo(f"retries       {figures.retries}")
    click.echo(f"skipped       {figures.skipped}")
    click.echo(f"refused       {figures.refused}")
    for error, n in figures.errors.items():
        click.echo(f"error         {error} {n}")


@ops.command("consistency-check")
@click.pass_context
def consistency_check(ctx: click.Context) -> None:
    """Read every row; exit code 1 if something is wrong."""
    problems = ctx.find_object(Store).consistency_check()  # type: ignore[union-attr]
    for problem in problems:
        click.echo(problem)
    if problems:
        ctx.exit(1)
    click.echo("consistent")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


if __name__ == "__main__":
    ops()
