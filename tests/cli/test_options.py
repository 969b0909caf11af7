"""Options that verbs share: the names of models that help shows, and lists of words."""

import pytest

from aerec.cli.options import ModelName, parse_list
from aerec.registry import MODELS


def test_help_names_every_model_without_importing_one():
    (option,) = ModelName.__metadata__
    assert option.help == f"One of {', '.join(sorted(MODELS))}."


@pytest.mark.parametrize(
    ("text", "words"), [("a,b", ["a", "b"]), (" a , b,", ["a", "b"]), ("", []), (" , ", []), ("a b", ["a b"])]
)
def test_lists_are_split_at_commas_and_blanks_do_not_count(text, words):
    assert parse_list(text) == words
