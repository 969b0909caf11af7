"""Messages of the readers name parameters of Python; in the command line none of them may be left."""

import ast
import re
from pathlib import Path

import pytest

import aerec.datasets.readers as readers
from aerec.cli.wording import in_shell_words

PARAMETER = re.compile(r"\b(user|item|rating|timestamp|sep|columns|header|overwrite)=(?!\{)")


def messages():
    """All text of the readers but docstrings; what stands in braces is left as a hole."""
    for path in sorted(Path(readers.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and isinstance(node.body[0], ast.Expr)
        }
        pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield (
                    path.name,
                    "".join(part.value if isinstance(part, ast.Constant) else "'…'" for part in node.values),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented | pieces:
                yield path.name, node.value


def test_no_message_of_the_readers_keeps_a_parameter():
    found = ((name, text) for name, text in messages() if " " in text)  # without a blank it is no sentence
    kept = [(name, text) for name, text in found if PARAMETER.search(in_shell_words(text))]
    assert kept == []


def test_a_file_without_a_header_is_told_what_to_type():
    text = 'name the fields of a file without a header with columns=("user", "item", "rating", …)'
    assert in_shell_words(text) == "give --no-header if it has none"


def test_splits_go_by_their_words():
    assert (
        in_shell_words("these have no timestamps; use RandomHoldout") == "these have no timestamps; take --split random"
    )


def test_models_of_order_name_the_option_for_times():
    text = "the training data have no times: give an Interactions with timestamps, or take EASE"
    assert in_shell_words(text).endswith("no times: name their column with --timestamp COLUMN, or take ease")


def test_columns_are_named_by_options():
    assert in_shell_words('name them by number, as in user="1", item="2"').endswith("as in --user 1, --item 2")


def test_there_are_such_messages():
    assert sum(PARAMETER.search(text) is not None for _, text in messages()) > 5


@pytest.mark.parametrize("text", ["l2=3 is no number", "user=ann", "write name=value, such as epochs=50"])
def test_other_words_stay(text):
    assert in_shell_words(text) == text


def test_steering_is_named_as_its_option():
    assert in_shell_words("steer: 'foo' cannot be read") == "--steer: 'foo' cannot be read"
    assert in_shell_words("--steer: no units") == "--steer: no units"


def test_a_column_of_text_is_named_as_its_option():
    assert in_shell_words("text=['about'] counts their words") == "--text about counts their words"
