"""Steering: sliders for the units of a sparse code, to be moved in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from aerec.display.notebook import Html, html_table
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.models.sparse_code import SparseCode
from aerec.recommender.scorer import check_k
from aerec.reporting.user_view import UserView
from aerec.system.extras import import_extra

_TITLES = 3  # Titles that stand for a unit without a name
_DEEP = 1000  # places before steering that are told


class Steering(UserView):
    """The list of one user beside the strongest units of their code, which can be turned up and down.

    As the last value of a notebook's cell it shows itself, with sliders where ipywidgets is installed (extra
    ``notebook``), else as a table. A slider is in multiples of the strength that a unit has in those who have it.

    Parameters
    ----------
    model : SparseCode
        Fitted.
    data : Interactions
        Histories. With `item_features` the units have names, else the titles of their items stand for them.
    k : int, default 10
        Length of the list.
    n_units : int, default 6
        Number of sliders.

    Attributes
    ----------
    users : pandas.Index
        Those with a history.

    Raises
    ------
    DataError
        If no user has a history.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA, SparseCode
    >>> from aerec.reporting import Steering
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> elsa = ELSA(n_factors=16, epochs=2, progress=False)
    >>> model = SparseCode(elsa, n_units=32, n_active=4, epochs=5, progress=False).fit(likes)
    >>> steering = Steering(model, likes, k=3)
    >>> unit = steering.units()["unit"][0]
    >>> steering.frame(steer={unit: 2.0}).columns.tolist()
    ['rank', 'item', 'title', 'score', 'before']
    """

    _controls = "sliders"

    def __init__(self, model: SparseCode, data: Interactions, *, k: int = 10, n_units: int = 6) -> None:
        if not isinstance(model, SparseCode) or not isinstance(data, Interactions):
            raise TypeError(
                f"expected a SparseCode and an Interactions, got {type(model).__name__} and {type(data).__name__}"
            )
        check_is_fitted(model)
        self._model, self._k, self._n_units = model, check_k(k), check_k(n_units)
        super().__init__(data, repr(model))
        named = data.item_features is not None
        self._names = model.name_units(data)["name"] if named else pd.Series(dtype=object)

    def units(self, user: Any = None) -> pd.DataFrame:
        """Return the strongest units of a user, the strongest first.

        Parameters
        ----------
        user : raw id, optional
            By default the first of `users`.

        Returns
        -------
        pandas.DataFrame
            Columns unit, activation, strength (its mean where it is active) and name.

        Raises
        ------
        DataError
            If there is no such user.
        """
        code = self._model.transform(self._alone(user))
        order = np.argsort(-code.data, kind="stable")[: self._n_units]
        units = code.indices[order]
        strength, names = self._model.strength_[units], [self._name(int(unit)) for unit in units]
        return pd.DataFrame({"unit": units, "activation": code.data[order], "strength": strength, "name": names})

    def frame(self, user: Any = None, steer: Mapping[int, float] | None = None) -> pd.DataFrame:
        """Return the list of a user.

        Parameters
        ----------
        user : raw id, optional
        steer : mapping of int to float, optional
            Unit → what is added to its activation, as in `SparseCode.steer`.

        Returns
        -------
        pandas.DataFrame
            Columns rank, item, title, score, and before: the rank without steering, missing below 1,000.

        Raises
        ------
        DataError
            If there is no such user.
        """
        alone = self._alone(user)
        plain = self._model.recommend(alone, max(_DEEP, self._k))
        best = plain.head(self._k) if not steer else self._model.recommend(alone, self._k, steer=steer)
        before = plain.set_index("item")["rank"].reindex(best["item"]).astype("Int64").to_numpy()
        titles = [self._title(item) for item in best["item"]]
        frame: pd.DataFrame = best.drop(columns="user").assign(title=titles, before=before)
        return frame[["rank", "item", "title", "score", "before"]]

    def html(self, user: Any = None, steer: Mapping[int, float] | None = None) -> Html:
        """Return the list of a user as a table; parameters as in `frame`."""
        frame = self.frame(user, steer)
        moved = frame["before"].ne(frame["rank"]).fillna(True)
        before = frame["before"].astype(object).fillna("–").where(moved, "")
        rows = zip(frame["rank"], frame["title"], before, strict=True)
        return Html(f'<div style="overflow-x: auto">{html_table("", ("rank", "title", "before"), rows)}</div>')

    def widget(self) -> Any:
        """Return a field for the user, and sliders over the list, which follows them.

        Raises
        ------
        MissingExtraError
            Without ipywidgets: ``pip install 'aerec[notebook]'``.
        """
        widgets = import_extra("ipywidgets", "steering in a notebook")
        user = widgets.Text(value=str(self.users[0]), description="user", continuous_update=False)
        sliders, shown = widgets.VBox([]), widgets.HTML()
        strengths: dict[Any, tuple[int, float]] = {}

        def show(_: Any = None) -> None:
            steer = {unit: slider.value * strength for slider, (unit, strength) in strengths.items() if slider.value}
            shown.value = self.html(self._typed_user(user.value), steer)

        def begin(_: Any = None) -> None:
            try:
                units = self.units(self._typed_user(user.value))
            except DataError as error:
                shown.value = f"<p>{escape(str(error))}</p>"
                return
            strengths.clear()
            for unit, strength, name in zip(units["unit"], units["strength"], units["name"], strict=True):
                options = {"style": {"description_width": "16em"}, "layout": {"width": "40em"}}
                slider = widgets.FloatSlider(
                    0.0, min=-3.0, max=3.0, step=0.5, description=name, continuous_update=False, **options
                )
                slider.observe(show, names="value")
                strengths[slider] = int(unit), float(strength)
            sliders.children = tuple(strengths)
            show()

        user.observe(begin, names="value")
        begin()
        return widgets.VBox([user, sliders, shown])

    # ------------------------------------------------------------------ parts

    def _alone(self, user: Any) -> Interactions:
        return self._history.select_users([self._user(user)])

    def _name(self, unit: int) -> str:
        name = self._names.get(unit)
        if isinstance(name, str):
            return f"{unit}: {name}"
        return f"{unit}: " + "; ".join(map(self._title, self._model.describe_code(unit, _TITLES)["item"]))
