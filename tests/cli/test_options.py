"""Options that verbs share: the names of models that help shows, and lists of words."""

import inspect
from typing import get_args

import pytest

from aerec.cli.options import NOTHING_SAID, ModelName, Reading, parse_list, reads_ratings
from aerec.registry import MODELS


def test_help_names_every_model_without_importing_one():
    (option,) = ModelName.__metadata__
    assert option.help == f"One of {', '.join(sorted(MODELS))}."


@pytest.mark.parametrize(
    ("text", "words"), [("a,b", ["a", "b"]), (" a , b,", ["a", "b"]), ("", []), (" , ", []), ("a b", ["a b"])]
)
def test_lists_are_split_at_commas_and_blanks_do_not_count(text, words):
    assert parse_list(text) == words


def test_a_verb_has_the_options_of_a_reading_and_takes_them_as_one():
    @reads_ratings("weight")
    def verb(data: str, reading: Reading = NOTHING_SAID, k: int = 3) -> None:
        """Do something."""
        seen.append((data, reading, k))

    seen = []
    parameters = inspect.signature(verb).parameters
    assert list(parameters)[:2] == ["data", "user"]
    assert list(parameters)[-2:] == ["no_header", "k"]
    assert "weight" not in parameters
    assert get_args(parameters["item"].annotation)[1].metavar == "COLUMN"
    said = {name: parameter.default for name, parameter in parameters.items()} | {"data": "r.csv", "rating": "stars"}
    verb(**said)
    assert seen == [("r.csv", Reading(rating="stars"), 3)]


def test_two_meanings_of_the_values_are_refused():
    with pytest.raises(ValueError, match="--implicit counts every row as 1 and --rating reads"):
        Reading(implicit=True, rating="stars")
    with pytest.raises(ValueError, match="--keep is first or last, got 'all'"):
        Reading(keep="all")
    with pytest.raises(ValueError, match="--keep first takes one row of a user and item, --counts adds them up"):
        Reading(keep="first", counts=True)
    assert Reading(keep="last", counts=True).duplicates == "sum"
    assert Reading(keep="first").options() == {"duplicates": "first"}
