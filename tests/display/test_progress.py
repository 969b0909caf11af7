"""Progress: log records always, a bar only where someone is looking."""

import io
import logging

import pytest
from rich.console import Console

from aerec.display import progress
from aerec.display.progress import EpochProgress


def report(shown=True, fail=False):
    with EpochProgress("EASE", 2, shown) as reporter:
        reporter.epoch_done(1, {"cost": 12.345678, "ndcg@100": 0.5})
        if fail:
            raise RuntimeError("stopped")
        reporter.epoch_done(2, {"cost": 11.0})
    return reporter


@pytest.fixture
def terminal(monkeypatch):
    """Stand in for an interactive terminal; returns what was written to it."""
    stream = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=stream, force_terminal=True, width=120))
    return stream


def test_every_epoch_is_logged(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="aerec"):
        report()
    assert caplog.messages == ["EASE epoch 1/2  cost 12.346  ndcg@100 0.5", "EASE epoch 2/2  cost 11"]
    out, err = capsys.readouterr()
    assert out == err == ""  # no terminal: nothing is printed


def test_a_terminal_sees_a_bar_with_the_last_cost(terminal):
    report()
    assert "EASE" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
    assert "cost 11" in terminal.getvalue()


def test_the_bar_can_be_switched_off(terminal, caplog):
    with caplog.at_level(logging.INFO, logger="aerec"):
        report(shown=False)
    assert terminal.getvalue() == ""
    assert len(caplog.messages) == 2


def test_an_error_leaves_no_bar_behind(terminal):
    with pytest.raises(RuntimeError, match="stopped"):
        report(fail=True)
    assert terminal.getvalue().rstrip(" \n").endswith("\x1b[?25h")  # the cursor is shown again


def test_a_notebook_sees_a_bar_that_needs_nothing_but_html(monkeypatch, terminal):
    shown = []
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress.NotebookBar, "update", lambda _, *values: shown.append(values))
    report()
    assert shown[0] == (0, 2)
    assert shown[1][:2] == (1, 2)
    assert shown[1][2].startswith("cost 12.346  ndcg@100 0.5")
    assert shown[2] == (2, 2, "cost 11")
    report(shown=False)
    assert len(shown) == 3
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])])
def test_a_number_writes_a_line_every_so_many_epochs_where_there_is_no_bar(capsys, every, epochs):
    with EpochProgress("EASE", 5, every) as reporter:
        for epoch in range(1, 6):
            reporter.epoch_done(epoch, {"cost": 10.0 / epoch})
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"EASE epoch {epoch}/5  cost {10 / epoch:.5g}" for epoch in epochs]


def test_a_terminal_sees_its_bar_and_no_lines_where_a_number_is_given(terminal):
    report(shown=1)
    assert "EASE epoch" not in terminal.getvalue()


def test_lines_say_the_time_that_is_left(monkeypatch, capsys):
    clock = iter([0.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with EpochProgress("Tuning EASE", 12, 1, unit="trial") as reporter:
        for number in (10, 11, 12):  # a search that goes on with its tenth trial
            reporter.epoch_done(number, {"best": 0.5})
    assert capsys.readouterr().err.splitlines() == [
        "Tuning EASE trial 10/12  best 0.5  20 s left",
        "Tuning EASE trial 11/12  best 0.5  10 s left",
        "Tuning EASE trial 12/12  best 0.5",
    ]
