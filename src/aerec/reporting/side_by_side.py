"""SideBySide: what two models recommend to the same user, to be looked at in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from aerec.display.notebook import Html, html_table
from aerec.errors import DataError
from aerec.holdout import Split
from aerec.ids import as_ids, places_of
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import check_k
from aerec.reporting.user_view import UserView
from aerec.system.extras import import_extra

_SHOWN_HISTORY = 10
_LISTED_USERS = 1000  # offered while somebody types; every other id can be typed, too


class SideBySide(UserView):
    """Lists of models for one user, side by side: with the history, reasons, popularity, and what was held out.

    As the last value of a notebook's cell it shows itself, with menus for two models and a user where ipywidgets is
    installed (extra ``notebook``), else as a table of the first two models and the first user.

    Parameters
    ----------
    models : mapping of str to Recommender
        Name → fitted model.
    data : Split or Interactions
        Of a split the test users are shown, the items that were held out are marked, and popularity is that of the
        training data.
    k : int, default 10
        Length of the lists.
    n_reasons : int, default 2
        Items of the history named as reasons of each recommendation; 0 for none, which is faster.

    Attributes
    ----------
    users : pandas.Index
        Those with a history.

    Raises
    ------
    DataError
        If there is no model, or no user with a history.

    Examples
    --------
    >>> from aerec.baselines import ItemKNN
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import EASE
    >>> from aerec.reporting import SideBySide
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample").binarize(4.0))
    >>> models = {"ease": EASE().fit(split.train), "item-knn": ItemKNN().fit(split.train)}
    >>> lists = SideBySide(models, split, k=3)
    >>> lists.frame(user=lists.users[0]).columns.tolist()
    ['model', 'rank', 'item', 'title', 'score', 'popularity', 'held_out', 'because']
    """

    _controls = "menus of models and users"

    def __init__(
        self, models: Mapping[str, Recommender], data: Split | Interactions, *, k: int = 10, n_reasons: int = 2
    ) -> None:
        k = check_k(k)
        if not models:
            raise DataError("there is no model to look at; give name → fitted model")
        for model in models.values():
            check_is_fitted(model)
        self._models = dict(models)
        self._k, self._n_reasons = k, n_reasons
        self._holdout = data.test if isinstance(data, Split) else None
        super().__init__(data.test.history if isinstance(data, Split) else data, ", ".join(models))
        train = data.train if isinstance(data, Split) else data
        counts = np.bincount(train.matrix.indices, minlength=train.shape[1])
        self._popularity = pd.Series(counts / max(train.shape[0], 1), index=train.items)

    def frame(self, user: Any = None, models: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the lists of a user as a frame.

        Parameters
        ----------
        user : raw id, optional
            By default the first of `users`.
        models : sequence of str, optional
            Names; by default the first two.

        Returns
        -------
        pandas.DataFrame
            Columns model, rank, item, title, score, popularity (share of the users who have the item), held_out and
            because (raw ids of the strongest reasons, the strongest first).

        Raises
        ------
        DataError
            If there is no such user or model.
        """
        user = self._user(user)
        alone = self._history.select_users([user])
        held_out = set(self._held_out(user))
        limits: dict[str, Any] = {}
        if self._holdout is not None:
            exclude = self._holdout.exclude
            limits["allow_items"] = self._holdout.candidates
            limits["block_items"] = None if exclude is None else self._items(exclude, user)
        lists = []
        for name in self._names(models):
            model = self._models[name]
            best = model.recommend(alone, self._k, **limits)
            items = best["item"].tolist()
            reasons = [self._reasons(model, alone, item) for item in items]
            best = best.drop(columns="user").assign(
                title=[self._title(item) for item in items],
                popularity=self._popularity.reindex(items).fillna(0.0).to_numpy(),
                held_out=[item in held_out for item in items],
                because=pd.Series(reasons, index=best.index, dtype=object),
            )
            best.insert(0, "model", name)
            lists.append(best)
        columns = ["model", "rank", "item", "title", "score", "popularity", "held_out", "because"]
        frame: pd.DataFrame = pd.concat(lists, ignore_index=True)[columns]
        return frame

    def html(self, user: Any = None, models: Sequence[str] | None = None) -> Html:
        """Return the lists of a user as a table; parameters as in `frame`."""
        user = self._user(user)
        frame = self.frame(user, models)
        lists = {str(name): rows for name, rows in frame.groupby("model", sort=False)}
        in_all = set.intersection(*(set(rows["item"]) for rows in lists.values())) if len(lists) > 1 else set()
        columns = [[self._cell(row, in_all) for row in rows.itertuples()] for rows in lists.values()]
        rows = [(rank, *cells) for rank, cells in enumerate(zip_longest(*columns, fillvalue="–"), start=1)]
        table = html_table("", ("rank", *lists), rows)
        above = f"{self._history_of(user)}<p>{escape(self._counts(lists, in_all))}</p>"
        return Html(f'{above}<div style="overflow-x: auto">{table}</div>')

    def widget(self) -> Any:
        """Return menus for two models and a user over their lists, which follow the menus.

        Raises
        ------
        MissingExtraError
            Without ipywidgets: ``pip install 'aerec[notebook]'``.
        """
        widgets = import_extra("ipywidgets", "picking models and users in a notebook")
        names = list(self._models)
        left = widgets.Dropdown(options=names, value=names[0], description="left")
        right = widgets.Dropdown(options=names, value=names[min(1, len(names) - 1)], description="right")
        offered = [str(user) for user in self.users[:_LISTED_USERS]]
        user = widgets.Combobox(options=offered, value=offered[0], description="user", continuous_update=False)
        following = widgets.Button(description="next user")
        shown = widgets.HTML()

        def show(_: Any = None) -> None:
            try:
                shown.value = self.html(self._typed_user(user.value), list(dict.fromkeys([left.value, right.value])))
            except DataError as error:
                shown.value = f"<p>{escape(str(error))}</p>"

        def next_user(_: Any) -> None:
            place = _place(self.users, self._typed_user(user.value)) + 1
            user.value = str(self.users[place % len(self.users)])

        for control in (left, right, user):
            control.observe(show, names="value")
        following.on_click(next_user)
        show()
        return widgets.VBox([widgets.Box([left, right, user, following], layout={"flex_flow": "row wrap"}), shown])

    # ------------------------------------------------------------------ parts

    def _names(self, models: Sequence[str] | None) -> list[str]:
        names = list(self._models)[:2] if models is None else list(models)
        for name in names:
            if name not in self._models:
                raise DataError(f"there is no model {name!r}; there are {', '.join(self._models)}")
        return names

    def _held_out(self, user: Any) -> list[Any]:
        return [] if self._holdout is None else self._items(self._holdout.target, user)

    def _items(self, data: Interactions, user: Any) -> list[Any]:
        """Return the raw ids of a user's items, those with the highest rating first."""
        row = _place(data.users, user)
        span = slice(data.matrix.indptr[row], data.matrix.indptr[row + 1])
        order = np.argsort(-data.matrix.data[span], kind="stable")
        return data.items.take(data.matrix.indices[span][order]).tolist()

    def _reasons(self, model: Recommender, history: Interactions, item: Any) -> list[Any]:
        if not self._n_reasons:
            return []
        terms = model.explain(history, item, n=self._n_reasons)
        return terms["item"][terms["contribution"] > 0].tolist()

    def _history_of(self, user: Any) -> str:
        seen = self._items(self._history, user)
        more = len(seen) - _SHOWN_HISTORY
        titles = "; ".join(map(self._title, seen[:_SHOWN_HISTORY])) + (f" and {more:,} more" if more > 0 else "")
        wanted = len(self._held_out(user))
        held_out = f" Held out, to be found: {wanted:,}." if wanted else ""
        return f"<p><b>User {escape(str(user))}.</b> History: {escape(titles)}.{held_out}</p>"

    def _counts(self, lists: Mapping[str, pd.DataFrame], in_all: set[Any]) -> str:
        shares = ", ".join(f"{name} {_percent(rows['popularity'].mean())}" for name, rows in lists.items())
        hits = ", ".join(f"{name} {rows['held_out'].sum()}" for name, rows in lists.items())
        parts = [f"In both lists (=): {len(in_all)} of {self._k}."] if len(lists) > 1 else []
        parts += [f"Held out and found (✓): {hits}."] if self._holdout is not None else []
        return " ".join([*parts, f"Users who have an item, on average: {shares}."])

    def _cell(self, row: Any, in_all: set[Any]) -> Html:
        marks = ("= " if row.item in in_all else "") + escape(row.title) + (" ✓" if row.held_out else "")
        reasons = " and ".join(map(self._title, row.because))
        because = f"because of {reasons}; " if reasons else ""
        small = f"<small>{escape(because)}{_percent(row.popularity)} of users</small>"
        return Html(f'<div style="text-align: left; padding-right: 1em">{marks}<br>{small}</div>')


def _place(users: pd.Index[Any], user: Any) -> int:
    """Return the place of a user; −1 where there is none of that id."""
    return int(places_of(as_ids([user]), users)[0])


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
