"""What notebooks show: tables whose texts are escaped, and a bar that is drawn in one place."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from aerec.display.notebook import Html, NotebookBar, html_table, in_notebook


def test_texts_are_escaped_and_html_is_kept():
    table = html_table("a < b", ["<i>", "n"], [["x & y", Html("<b>1</b>")]])
    assert "<caption>a &lt; b</caption>" in table
    assert '<th scope="col">&lt;i&gt;</th>' in table
    assert '<th scope="row">x &amp; y</th><td><b>1</b></td>' in table


def test_a_table_without_headings_has_no_head():
    assert "<thead" not in html_table("", (), [["users", 3]])
    assert "<caption" not in html_table("", (), [])


@pytest.fixture
def kernel(monkeypatch):
    """Stand in for the kernel of a notebook; returns what its output shows."""
    shown = []

    class Handle:
        def update(self, html):
            shown[-1] = html

    def display(html, display_id):
        assert display_id is True
        shown.append(html)
        return Handle()

    core, part = ModuleType("IPython"), ModuleType("IPython.display")
    core.get_ipython = lambda: SimpleNamespace(kernel=object())
    part.display, part.HTML = display, str
    monkeypatch.setitem(sys.modules, "IPython", core)
    monkeypatch.setitem(sys.modules, "IPython.display", part)
    return shown


def test_a_kernel_is_recognised_a_terminal_of_ipython_is_not(kernel, monkeypatch):
    assert in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert not in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_a_bar_stays_in_its_place(kernel):
    bar = NotebookBar("Mult<VAE>")
    bar.update(1, 4, "cost 3")
    bar.update(2, 4, "cost 2")
    (shown,) = kernel
    assert '<progress value="2" max="4"></progress> 2 / 4 cost 2' in shown
    assert "Mult&lt;VAE&gt;" in shown


def test_without_a_total_the_bar_only_works(kernel):
    NotebookBar("x").update(1500, None)
    assert "<progress></progress> 1,500" in kernel[0]
