"""plot_history: cost and validation metric on axes of matplotlib, nothing else touched."""

import sys

import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from aerec.baselines import Popularity
from aerec.display.plotting import plot_history
from aerec.errors import DataError, MissingExtraError
from aerec.models import EASE, MultDAE

figure = pytest.importorskip("matplotlib.figure")


def history(**columns):
    return pd.DataFrame({"epoch": [1, 2, 3], "cost": [5.0, 3.0, 2.0], "seconds": [0.1] * 3, **columns})


def test_cost_stands_left_and_the_metric_right_with_its_best_epoch():
    axes = plot_history(history(**{"ndcg@100": [0.1, 0.4, 0.3]}))
    beside = axes.figure.axes[1]
    assert axes.lines[0].get_xydata().tolist() == [[1, 5.0], [2, 3.0], [3, 2.0]]
    curve, best = beside.lines
    assert curve.get_ydata().tolist() == [0.1, 0.4, 0.3]
    assert best.get_xydata().tolist() == [[2, 0.4]]
    assert beside.get_ylabel() == "validation ndcg@100"


@pytest.mark.parametrize("name", ["rmse", "validation_cost"])
def test_of_errors_and_costs_the_lowest_is_best(name):
    best = plot_history(history(**{name: [0.9, 0.7, 0.8]})).figure.axes[1].lines[1]
    assert best.get_xydata().tolist() == [[2, 0.7]]
    assert best.axes.get_ylabel() == f"validation {name.removeprefix('validation_')}"


def test_without_validation_there_is_one_axis():
    assert len(plot_history(history()).figure.axes) == 1


def test_a_new_figure_shows_itself_in_a_notebook():
    assert plot_history(history()).figure._repr_png_().startswith(b"\x89PNG")


def test_axes_that_are_given_are_drawn_on():
    axes = figure.Figure().add_subplot()
    assert plot_history(history(), axes) is axes
    assert len(axes.lines) == 1


def test_a_model_draws_its_own(tmp_path):
    model = MultDAE(hidden=2, epochs=2, progress=False)
    with pytest.raises(NotFittedError):
        model.plot_history()
    axes = model.fit([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]).plot_history()
    assert axes.lines[0].get_ydata().tolist() == model.history_["cost"].tolist()
    axes.figure.savefig(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize("model", [Popularity(), EASE(), pd.DataFrame(), pd.DataFrame({"epoch": [1]}), None])
def test_what_has_no_curve_is_refused(model):
    with pytest.raises(DataError, match="has no learning curve: give a fitted model"):
        plot_history(model)


def test_pyplot_is_left_alone():
    def figures():  # other tests may have left some
        pyplot = sys.modules.get("matplotlib.pyplot")
        return None if pyplot is None else pyplot.get_fignums()

    before = figures()
    plot_history(history())
    assert figures() == before


def test_without_matplotlib_the_pip_line_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[report\]'"):
        plot_history(history())
