"""What a notebook shows, as plain HTML: tables, and a bar that fills. Needs nothing but the notebook itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Html(str):
    """Text that is HTML already, and so goes into a table as it is."""

    __slots__ = ()


def html_table(caption: str, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Html:
    """Return a table with headings of columns and, in the first cell of each row, of rows; everything is escaped.

    Examples
    --------
    >>> from aerec.display.notebook import html_table
    >>> print(html_table("", ["title", "rank"], [["Love & Death", 1]]))
    <table><thead><tr><th scope="col">title</th><th scope="col">rank</th></tr></thead><tbody>
    <tr><th scope="row">Love &amp; Death</th><td>1</td></tr>
    </tbody></table>
    """
    above = f"<caption>{_cell(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{_cell(text)}</th>' for text in head)
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{_cell(text)}</td>" for text in others)
        lines.append(f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>\n')
    row = f"<thead><tr>{heads}</tr></thead>" if heads else ""
    return Html(f"<table>{above}{row}<tbody>\n{''.join(lines)}</tbody></table>")


def _cell(value: Any) -> str:
    return value if isinstance(value, Html) else escape(str(value))


def widget_bundle(shown: Any, adds: str) -> dict[str, Any]:
    """Return what ``_repr_mimebundle_`` gives: the HTML of `shown`, and its widget where a notebook can show it.

    Parameters
    ----------
    shown : object with ``html`` and ``widget``
    adds : str
        What the widget adds to the HTML, for those who lack ipywidgets.
    """
    if not in_notebook():
        return {}
    try:
        importlib.import_module("ipywidgets")
    except ImportError:
        hint = f"<p><small>pip install 'aerec[notebook]' adds {adds}.</small></p>"
        return {"text/html": shown.html() + hint, "text/plain": repr(shown)}
    view = shown.widget()._repr_mimebundle_()
    return {_WIDGET: view[_WIDGET], "text/html": shown.html(), "text/plain": repr(shown)}


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which shows HTML."""
    core: Any = sys.modules.get("IPython")
    shell = None if core is None else core.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookBar:
    """A bar in the output of a cell, drawn anew in its place at each update.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._handle: Any = None

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Show that `done` of `total` are done; with a total that is not known, a bar that only says it works."""
        notebook: Any = importlib.import_module("IPython.display")
        shown = notebook.HTML(self._html(done, total, note))
        if self._handle is None:
            self._handle = notebook.display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def _html(self, done: int, total: int | None, note: str) -> str:
        of = f"{done:,}" if total is None else f"{done:,} / {total:,}"
        bar = "<progress>" if total is None else f'<progress value="{done}" max="{max(total, 1)}">'
        return f"<div>{escape(self._name)} {bar}</progress> {of} {escape(note)}</div>"
