"""What the views of one user have in common."""

import pandas as pd
import pytest

from aerec import Interactions
from aerec.display.notebook import Html
from aerec.errors import DataError
from aerec.reporting.user_view import UserView


class Names(UserView):
    _controls = "nothing"

    def html(self, user=None):
        return Html(self._title(self._user(user)))


@pytest.fixture
def view():
    ratings = pd.DataFrame({"user": [3, 1, 1], "item": [7, 7, 8]})
    data = Interactions.from_frame(ratings, rating=None, item_names={7: "Heat"})
    return Names(data.with_users(pd.Index([1, 2, 3])), "names")


def test_users_without_a_history_are_not_offered(view):
    assert view.users.tolist() == [1, 3]
    assert repr(view) == "Names(names; 2 users)"
    with pytest.raises(DataError, match="no user 2 with a history; there are 1, 3"):
        view.html(2)
    with pytest.raises(DataError, match="no user has a history"):
        Names(view._history.select_users([2]), "names")


def test_what_is_typed_becomes_an_id_where_it_can_be_one(view):
    assert view._typed_user(" 3 ") == 3
    assert view._typed_user("anna") == "anna"


def test_an_item_without_a_title_is_named_by_its_id(view):
    assert [view._title(7), view._title(8)] == ["Heat", "8"]
    assert view._repr_html_() == "1"
