"""`policy-cache demo`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.output import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.demo.step import Step, Tell


@click.command("demo")
def command() -> None:
    """Send an agent's conversation through litellm to a provider on this machine, and count the cost.

    Eight requests, without the default policy and with it. Nothing leaves this machine.
    """
    from policy_cache.demo import report, run_demo  # noqa: PLC0415, litellm takes seconds to import

    with _telling() as tell:
        result = run_demo(tell=tell)
    show(report(result))


@contextmanager
def _telling() -> Iterator[Tell]:
    """What says on standard error what is being done: a line for each step, redrawn on a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console  # noqa: PLC0415, only where something is drawn
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn()
    drawn = Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)

    def draw(step: Step) -> None:
        count = f": {step.done} of {step.parts}" if step.parts else ""
        if step.done == 0:
            for task in drawn.task_ids:  # what came before is done
                drawn.update(task, completed=1)
            drawn.add_task(step.what + count, total=1)
        else:
            drawn.update(drawn.task_ids[-1], description=step.what + count)

    with drawn:
        yield draw
        for task in drawn.task_ids:
            drawn.update(task, completed=1)


def _line(step: Step) -> None:
    if step.done == 0:
        click.echo(step.what, err=True)
