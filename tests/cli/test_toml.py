"""What is written as TOML is what a TOML reader reads."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec.cli.toml import format_toml
from aerec.errors import DataError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLAIN = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
CONTENT = st.recursive(
    st.one_of(PLAIN, st.lists(PLAIN)), lambda inner: st.dictionaries(KEYS, inner, min_size=1), max_leaves=12
)


@settings(max_examples=30)
@given(st.dictionaries(KEYS, CONTENT))
def test_what_is_written_is_what_a_toml_reader_reads(content):
    assert tomllib.loads(format_toml(content)) == content


def test_a_text_that_no_file_can_hold():
    with pytest.raises(DataError, match="rename it"):
        format_toml({"source": "\ud800"})
