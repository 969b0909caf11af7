"""Progress of long work: one bar in a terminal or notebook, log records everywhere else."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aerec.display.notebook import NotebookBar, in_notebook

_log = logging.getLogger("aerec")


class EpochProgress:
    """Shows the cost of each epoch: a bar where someone is looking, else a record of level INFO per epoch.

    Parameters
    ----------
    name : str
        What is being trained.
    epochs : int
    shown : bool or int
        False for log records only; a number n for a line every n epochs, too, where there is no bar.
    unit : str, default "epoch"
        What is counted.
    """

    def __init__(self, name: str, epochs: int, shown: bool | int, unit: str = "epoch") -> None:
        self._name = name
        self._unit = unit
        self._epochs = epochs
        self._bar: Progress | None = None
        self._notebook: NotebookBar | None = None
        self._every = 0  # epochs for a line; 0 for none
        self._began, self._first = time.perf_counter(), epochs  # the first one seen: a search may go on with its tenth
        if not shown:
            return
        console = self._console = Console(stderr=True)
        if in_notebook():  # where the bars of rich need ipywidgets
            self._notebook = NotebookBar(name)
        elif console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=console)
        elif not isinstance(shown, bool):
            self._every = int(shown)

    def __enter__(self) -> EpochProgress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=self._epochs, note="")
        if self._notebook is not None:
            self._notebook.update(0, self._epochs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def epoch_done(self, epoch: int, values: Mapping[str, float]) -> None:
        """Report epoch number `epoch` (from 1) with its cost and validation metric."""
        note = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        _log.info("%s %s %d/%d  %s", self._name, self._unit, epoch, self._epochs, note)
        self._first = min(self._first, epoch)
        seconds = (time.perf_counter() - self._began) / (epoch - self._first + 1) * (self._epochs - epoch)
        left = f"  {seconds:.0f} s left" if seconds >= 1 else ""
        if self._every and (epoch % self._every == 0 or epoch == self._epochs):
            text = f"{self._name} {self._unit} {epoch}/{self._epochs}  {note}{left}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch, note=note)
        if self._notebook is not None:
            self._notebook.update(epoch, self._epochs, f"{note}{left}")
