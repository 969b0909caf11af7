"""Learning curves, drawn with matplotlib (extra `report`), which is imported only when something is drawn.

Figures are made without pyplot: nothing is shown by itself, and no state outside of the figure changes.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aerec.errors import DataError
from aerec.system.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "LINE", "SERIES", "SOFT", "import_matplotlib", "new_axes", "plot_history"]

INK, SOFT, LINE = "#1c1e2a", "#585d71", "#d9dce9"
"""Colours of text, of what stands back, and of rules."""
SERIES = ("#3949ab", "#c2570c", "#0b7a6b", "#a8326f", "#7a6a00", "#1f7fb8", "#7b4bb0", "#8c3b2a", "#3f7d20", "#5b6472")
"""Colours of models, one after the other."""

_PARTS = {"epoch", "likelihood", "sparsity", "kl", "weight_decay", "cost", "seconds"}


def import_matplotlib(module: str = "matplotlib.figure") -> Any:
    """Return a module of matplotlib; a MissingExtraError tells how to install it."""
    return import_extra(module, "drawing")


def new_axes() -> Axes:
    """Return the axes of a new figure of 4.8 × 3.2 inches, without a frame and with quiet rules.

    The figure shows itself as the last value of a notebook's cell, whether pyplot has been imported or not.
    """
    figure = import_matplotlib().Figure(figsize=(4.8, 3.2), layout="constrained")
    figure._repr_png_ = functools.partial(_png, figure)
    axes: Axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=INK, which="both", labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=144, facecolor="white")
    return stream.getvalue()


def plot_history(model: Any, ax: Axes | None = None) -> Axes:
    """Draw the cost of each epoch, and on an axis of its own at the right the validation metric with its best epoch.

    Parameters
    ----------
    model : recommender with `history_`, or pandas.DataFrame
        The frame has the columns epoch and cost, and maybe one of a validation metric.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Those of the cost. ``.figure.savefig("curves.png")`` writes them to a file, ``.figure`` at the end of a cell
        shows them in a notebook.

    Raises
    ------
    DataError
        If there is no history: not every model learns in epochs.
    MissingExtraError
        Without matplotlib: ``pip install 'aerec[report]'``.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import MultDAE
    >>> from aerec.display.plotting import plot_history
    >>> model = MultDAE(hidden=8, epochs=3, progress=False).fit(load_dataset("sample"))
    >>> plot_history(model).get_xlabel()
    'epoch'
    """
    history = _history_of(model)
    import_matplotlib()
    axes = new_axes() if ax is None else ax
    epochs = history["epoch"]
    (cost,) = axes.plot(epochs, history["cost"], color=SERIES[0], label="cost (left)")
    axes.set_xlabel("epoch")
    axes.set_ylabel("cost")
    if axes.get_xlim()[1] - axes.get_xlim()[0] < 10:
        axes.set_xticks(epochs)
    drawn = [cost]
    name = validation_metric(history)
    if name is not None:
        beside = axes.twinx()
        beside.spines[["top", "left", "bottom"]].set_visible(False)
        beside.spines["right"].set_color(SOFT)
        beside.tick_params(colors=INK, labelsize=9)
        label = name.replace("_", " ")
        drawn += beside.plot(epochs, history[name], color=SERIES[1], linestyle="--", label=f"{label} (right)")
        values = history[name].to_numpy(dtype=float)
        lower_is_better = name in ("rmse", "mae") or name.endswith("_cost")
        best = int(np.nanargmin(values) if lower_is_better else np.nanargmax(values))
        beside.plot(epochs.iloc[best], values[best], color=SERIES[1], marker="o", markersize=6)
        beside.set_ylabel(f"validation {label.removeprefix('validation ')}", color=INK)
    place: dict[str, Any] = {"bbox_to_anchor": (0.5, 1.0), "ncols": len(drawn)}
    axes.legend(handles=drawn, loc="lower center", labelcolor=INK, frameon=False, fontsize=9, **place)
    return axes


def validation_metric(history: pd.DataFrame) -> str | None:
    """Return the name of the column that holds the validation metric; None without validation data."""
    return next((str(name) for name in history.columns if name not in _PARTS and history[name].notna().any()), None)


def _history_of(model: Any) -> pd.DataFrame:
    history = model if isinstance(model, pd.DataFrame) else getattr(model, "history_", None)
    if not isinstance(history, pd.DataFrame) or history.empty or not {"epoch", "cost"} <= set(history.columns):
        raise DataError(
            f"{type(model).__name__} has no learning curve: give a fitted model that learns in epochs (with "
            "`history_`), or such a frame with columns epoch and cost"
        )
    return history
