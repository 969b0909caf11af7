"""Errors: what each is caught as, and warnings that point at the line of the caller."""

import subprocess
import sys
import warnings

import pytest

from aerec import errors
from aerec.errors import AerecError, TrainingError, names_like, warn_caller


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("DataError", ValueError),
        ("ModelFileError", ValueError),
        ("InsufficientMemoryError", MemoryError),
        ("MissingExtraError", ImportError),
        ("TrainingError", ArithmeticError),
    ],
)
def test_every_error_is_one_of_aerec_and_one_that_python_has(name, usual):
    error = getattr(errors, name)("what to do")
    assert isinstance(error, AerecError)
    assert isinstance(error, usual)
    assert str(error) == "what to do"


def test_a_training_error_carries_the_epochs_before_it():
    records = [{"epoch": 1, "cost": 2.0}]
    assert TrainingError("bad", records).records is records
    assert TrainingError("bad").records == []


def test_a_warning_from_deep_inside_names_the_line_that_called_aerec():
    frame = {"__name__": "aerec.some.module", "warn_caller": warn_caller}
    exec("def inner():\n    warn_caller('odd')\n\ndef outer():\n    inner()\n", frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame["outer"]()
    assert [(warning.category, str(warning.message)) for warning in caught] == [(UserWarning, "odd")]
    assert caught[0].filename == __file__


def test_a_warning_at_the_outermost_line_is_given_too():
    code = "from aerec.errors import warn_caller\nwarn_caller('odd')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "<string>:2: UserWarning: odd" in done.stderr


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("epoch", ["epochs", "seed"], "did you mean epochs? there are epochs, seed"),
        ("zzz", ["epochs", "seed"], "there are epochs, seed"),
        ("esae", ["elsa", "ease"], "did you mean ease? there are elsa, ease"),
        ("zzz", [], "there are none"),
    ],
)
def test_a_name_like_it_is_offered(word, known, text):
    assert names_like(word, known) == text
