"""What goes over the wire: types are not converted, and unknown fields are refused."""

import pytest

pytest.importorskip("fastapi", reason="serving needs the extra serve")
from pydantic import ValidationError

from aerec.serving.schema import MAX_HISTORY, MAX_K, MAX_LISTED, RatedItem, RecommendRequest


def test_a_history_holds_ids_and_rated_items():
    request = RecommendRequest.model_validate({"history": [1, "a", {"item": 50, "rating": 5}, {"item": "b"}]})
    assert request.history[:2] == [1, "a"]
    assert request.history[2] == RatedItem(item=50, rating=5.0)
    assert request.history[3].rating is None
    assert (request.k, request.explain, request.model) == (10, False, "main")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "history"),
        ({"history": [1.5]}, "history"),
        ({"history": [True]}, "history"),
        ({"history": [{"item": 1, "rating": "5"}]}, "history"),
        ({"history": [{"item": 1, "rating": float("nan")}]}, "history"),
        ({"history": [{"item": 1, "stars": 5}]}, "history"),
        ({"history": [0] * (MAX_HISTORY + 1)}, "history"),
        ({"history": [], "k": 0}, "k"),
        ({"history": [], "k": MAX_K + 1}, "k"),
        ({"history": [], "k": "10"}, "k"),
        ({"history": [], "year_from": 10_000}, "year_from"),
        ({"history": [], "genres": ["x" * 201]}, "genres"),
        ({"history": [], "allow": [0] * (MAX_LISTED + 1)}, "allow"),
        ({"history": [], "explain": 1}, "explain"),
        ({"history": [], "model": "third"}, "model"),
        ({"history": [], "users": [1]}, "users"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(body, place):
    with pytest.raises(ValidationError) as raised:
        RecommendRequest.model_validate(body)
    assert {error["loc"][0] for error in raised.value.errors()} == {place}


def test_limits_themselves_are_allowed():
    body = {"history": [0] * MAX_HISTORY, "k": MAX_K, "block": ["x"] * MAX_LISTED, "year_to": 9999}
    assert RecommendRequest.model_validate(body).k == MAX_K
