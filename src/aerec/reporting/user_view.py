"""UserView: what the objects have in common that show one user in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from aerec.display.notebook import Html, widget_bundle
from aerec.errors import DataError
from aerec.ids import as_ids, examples, id_from_text, places_of
from aerec.interactions import Interactions


class UserView(ABC):
    """Shows one of the `users` with a history: as a table, and with a `widget` where ipywidgets is installed."""

    _controls: ClassVar[str]  # what the widget adds to the table

    def __init__(self, history: Interactions, shown: str) -> None:
        self._history, self._shown = history, shown
        self.users: pd.Index[Any] = history.users[np.diff(history.matrix.indptr) > 0]
        if not len(self.users):
            raise DataError("no user has a history: there is nothing to recommend by")

    @abstractmethod
    def html(self) -> Html:
        """Return a table of the first user."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown}; {len(self.users):,} users)"

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Add the controls to the table where a notebook can show them."""
        return widget_bundle(self, self._controls)

    def _user(self, user: Any) -> Any:
        """Return a user that there is, by default the first."""
        if user is None:
            return self.users[0]
        if places_of(as_ids([user]), self.users)[0] < 0:
            raise DataError(f"there is no user {user!r} with a history; there are {examples(self.users)}")
        return user

    def _typed_user(self, text: str) -> Any:
        """Return the id that was typed; the text itself where it can be none."""
        user = id_from_text(text, self.users)
        return text if user is None else user

    def _title(self, item: Any) -> str:
        names = self._history.item_names
        return str(item) if names is None else str(names.get(item, "")) or str(item)
