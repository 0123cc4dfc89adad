"""Manual operations on the queue in QUEUE.md: `python -m soak.systems.orchestrator.orch --db FILE --queue QUEUE.md list`.

The database is authoritative: `import` adds new lines of the table, and every change rewrites the table.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import click

from soak.systems.orchestrator.command_line import StoreGroup, open_from, stamped
from soak.systems.orchestrator.db_store import OperationError, Store
from soak.systems.orchestrator.model import Enqueued, Skipped, Task, TaskState
from soak.systems.orchestrator.queue_md import parse, render, replace_table, row_of

_FILE = click.Path(path_type=Path, dir_okay=False)
_WORKING_DAY_S = 8 * 3600.0
id_option = click.option("--id", "task_id", type=click.IntRange(min=1), required=True, help="Number of the task.")


@dataclass(frozen=True, slots=True)
class Session:
    """The store, and the document that shows it, if there is one."""

    store: Store
    queue: Path | None

    def show(self) -> None:
        """Rewrite the table, and keep the text around it."""
        if self.queue is not None:
            before = self.queue.read_text(encoding="utf-8") if self.queue.exists() else "# Queue\n"
            after = replace_table(before, map(row_of, self.store.tasks()))
            self.queue.write_text(after, encoding="utf-8")


@click.group(cls=StoreGroup)
@click.option("--db", type=_FILE, help="The database; created if missing.")
@click.option("--config", type=_FILE, help="Settings, JSON; they name the database.")
@click.option("--queue", type=_FILE, help="The Markdown file that shows the queue.")
@click.pass_context
def orch(ctx: click.Context, db: Path | None, config: Path | None, queue: Path | None) -> None:
    """Manual operations on the queue."""
    ctx.obj = Session(ctx.with_resource(open_from(db, config, create=True)), queue)


@orch.command("list")
@click.option("--state", "states", type=click.Choice([str(state) for state in TaskState]), multiple=True)
@click.pass_obj
def list_command(session: Session, states: tuple[str, ...]) -> None:
    """Show the queue as a table."""
    click.echo(render(map(row_of, session.store.tasks(*map(TaskState, states)))))


@orch.command()
@click.option("--key", required=True, help="Idempotency key of the task.")
@click.option("--title", default="")
@click.option("--payload", default="")
@click.pass_obj
def add(session: Session, key: str, title: str, payload: str) -> None:
    """Put a task into the queue."""
    if not key.strip():
        raise click.BadParameter("must not be empty", param_hint="--key")
    answer = session.store.enqueue(key, payload, title)
    session.show()
    click.echo(_described(key, answer))


@orch.command("import")
@click.pass_obj
def import_command(session: Session) -> None:
    """Take in the lines of the table that have no id yet and are PENDING."""
    if session.queue is None or not session.queue.exists():
        raise click.UsageError("--queue must name the file to import")
    new = [
        row for row in parse(session.queue.read_text(encoding="utf-8")) if not row.id and row.state is TaskState.PENDING
    ]
    for row in new:
        click.echo(_described(row.key, session.store.enqueue(row.key, title=row.title)))
    session.show()


@orch.command("render")
@click.pass_obj
def render_command(session: Session) -> None:
    """Write the table anew."""
    session.show()


@orch.command()
@click.option("--worker", required=True, help="Who takes the task on.")
@click.option("--lease-s", default=_WORKING_DAY_S, show_default=True, type=click.FloatRange(min=0, min_open=True))
@click.pass_obj
def pick(session: Session, worker: str, lease_s: float) -> None:
    """Take on the oldest task that is due."""
    # People send no heartbeats: their lease must last for the whole task.
    session.store.settings = replace(session.store.settings, lease_s=lease_s)
    task = session.store.claim(worker)
    session.show()
    click.echo(f"task {task.id} ({task.key}), attempt {task.attempt}" if task else "nothing is due")


@orch.command()
@id_option
@click.option("--notes", default="", help="What was done.")
@click.pass_obj
def done(session: Session, task_id: int, notes: str) -> None:
    """Say that a task in progress is done."""
    task, owner = _in_progress(session.store, task_id)
    _accepted(task, session.store.complete(task_id, owner, task.attempt, notes=stamped(owner, "done", notes)))
    session.show()
    click.echo(f"task {task_id} is DONE")


@orch.command()
@id_option
@click.option("--notes", required=True, help="What went wrong.")
@click.option("--error", default="failed_by_hand", show_default=True, help="Name of the error.")
@click.option("--transient", is_flag=True, help="It may go well another time: the task comes again after its backoff.")
@click.pass_obj
def fail(session: Session, task_id: int, notes: str, error: str, transient: bool) -> None:
    """Say that a task in progress has failed."""
    task, owner = _in_progress(session.store, task_id)
    line = stamped(owner, "failed", notes)
    _accepted(task, session.store.fail(task_id, owner, task.attempt, error, transient=transient, notes=line))
    session.show()
    after = session.store.task(task_id)
    click.echo(f"task {task_id} is {after.state if after else 'gone'}")


def _in_progress(store: Store, task_id: int) -> tuple[Task, str]:
    task = store.task(task_id)
    if task is None:
        raise OperationError(f"there is no task {task_id}")
    if task.state is not TaskState.IN_PROGRESS or task.owner is None:
        raise OperationError(f"task {task_id} is {task.state}; only a task that is IN_PROGRESS can end")
    return task, task.owner


def _accepted(task: Task, accepted: bool) -> None:
    if not accepted:
        raise OperationError(f"task {task.id}: the lease was lost meanwhile")


def _described(key: str, answer: Enqueued | Skipped) -> str:
    if isinstance(answer, Skipped):
        return f"{key} is task {answer.task_id} already"
    return f"{key} is task {answer.task_id}"


if __name__ == "__main__":
    orch()
