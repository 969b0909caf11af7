"""A few seconds of fuzzing what reads files; `benchmarks/reliability/fuzz.py` goes on for as long as asked."""

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS, good_inputs, restructured

BRIEF = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
TOKENS = (
    b"",
    b"\0",
    b"\n",
    b",",
    b"::",
    b" ",
    b'"',
    b"-1",
    b"9" * 30,
    b"1e999",
    b"nan",
    b"\xff\xfe",
    b"{",
    b"[" * 3000,
)

good = cache(good_inputs)


@st.composite
def damaged(draw, name):
    """A good input with a few pieces cut out, repeated, swapped or replaced."""
    data = draw(st.sampled_from(good(name)))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.sampled_from([0, 1, 1, 2, 8, 100])))
        new = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4), st.just(data[begin:end] * 3)))
        data = data[:begin] + new + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read(name):
    for data in good(name):
        TARGETS[name][0](data)


@pytest.mark.parametrize("name", TARGETS)
def test_damage_gives_documented_errors_only(name):
    if name == "parquet":
        pytest.importorskip("pyarrow")

    @BRIEF
    @given(damaged(name))
    def check(data):
        TARGETS[name][0](data)

    check()


@pytest.mark.parametrize("name", ["model", "interactions", "checkpoint"])
def test_signed_forgeries_give_documented_errors_only(name):
    @settings(BRIEF, max_examples=40)
    @given(st.sampled_from(good(name)), st.data())
    def check(data, drawn):
        TARGETS[name][0](restructured(data, lambda n: drawn.draw(st.integers(0, n - 1))))

    check()


@pytest.mark.parametrize("name", [one for one in TARGETS if one not in ("model", "interactions", "checkpoint")])
@BRIEF
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_noise_gives_documented_errors_only(name, data):
    TARGETS[name][0](data)
