"""Refusals in one line."""

import sys

import pytest

from aerec.errors import MissingExtraError
from aerec.serving import require_serving
from aerec.serving.problems import first_problems, problem, shown


def test_the_first_few_of_many_are_told():
    errors = [{"loc": ("query", "k"), "msg": "Input should be 1"}, {"loc": ("query", "n"), "msg": "No"}]
    assert first_problems(errors) == "k: input should be 1; n: no"
    assert first_problems(errors * 3) == "k: input should be 1; n: no; k: input should be 1 (and 3 more)"
    assert first_problems([]) == "the request cannot be read"


def test_what_cannot_be_written_is_written_otherwise():
    assert problem("a\n \ud800", 400).body == rb'{"error":"a \\ud800"}'


def test_what_was_sent_is_shown_in_part():
    assert shown("ab") == "'ab'"
    assert len(shown("x" * 1000)) == 60


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_the_extra_the_error_says_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*pip install 'aerec\[serve\]'"):
        require_serving()
