"""Titles found by what is typed, wrong letters and all."""

import itertools
import time

import numpy as np
import pytest

from aerec.serving.search import TitleIndex, _distances, _matrix_of, words_of

TITLES = [
    "Matrix, The (1999)",
    "Matrix Reloaded, The (2003)",
    "Alien (1979)",
    "Aliens (1986)",
    "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
    "Schindler's List (1993)",
    "Spider-Man (2002)",
    "E.T. the Extra-Terrestrial (1982)",
    "Godfather, The (1972)",
    "2001: A Space Odyssey (1968)",
    "七人の侍 (1954)",
]


@pytest.fixture(scope="module")
def index():
    return TitleIndex(TITLES)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("matrix", "Matrix, The (1999)"),
        ("the matrix", "Matrix, The (1999)"),
        ("matirx", "Matrix, The (1999)"),
        ("amtrix", "Matrix, The (1999)"),
        ("matrix relaoded", "Matrix Reloaded, The (2003)"),
        ("alien", "Alien (1979)"),
        ("ALIENS", "Aliens (1986)"),
        ("amelie", "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)"),
        ("shindlers list", "Schindler's List (1993)"),
        ("schindler", "Schindler's List (1993)"),
        ("spiderman", "Spider-Man (2002)"),
        ("spider man", "Spider-Man (2002)"),
        ("et", "E.T. the Extra-Terrestrial (1982)"),
        ("godfahter", "Godfather, The (1972)"),
        ("the godf", "Godfather, The (1972)"),
        ("odyssey 2001", "2001: A Space Odyssey (1968)"),
        ("2003", "Matrix Reloaded, The (2003)"),
        ("oddysey", "2001: A Space Odyssey (1968)"),
        ("七人", "七人の侍 (1954)"),
    ],
)
def test_the_title_that_is_meant_comes_first(index, query, title):
    assert TITLES[index.search(query)[0]] == title


def test_zeros_before_a_number_need_not_be_typed():
    ids = ["0030-A", "0300-A", "0003-A"]
    index = TitleIndex(ids)
    assert ids[index.search("30-a")[0]] == "0030-A"
    assert ids[index.search("0030")[0]] == "0030-A"
    assert ids[index.search("3")[0]] == "0003-A"


@pytest.mark.parametrize("query", ["xyzzyq", "mx", "(((", "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"])
def test_what_is_like_no_title_finds_none(index, query):
    found = index.search(query)
    assert len(found) == (10 if query == "(((" else 0)  # no word at all: whatever is popular


def test_no_query_gives_the_popular_ones_first():
    index = TitleIndex(["a", "b", "c"], np.array([1.0, 9.0, 3.0]))
    assert index.search("").tolist() == [1, 2, 0]
    assert index.search("  -", k=2).tolist() == [1, 2]


def test_of_equal_matches_the_popular_one_comes_first():
    index = TitleIndex(["Red Moon", "Red Star", "Red Sea"], np.array([1.0, 5.0, 2.0]))
    assert index.search("red").tolist() == [1, 2, 0]


def test_an_empty_catalogue_and_titles_without_words():
    assert TitleIndex([]).search("alien").tolist() == []
    assert TitleIndex(["???", ""]).search("alien").tolist() == []


def test_words():
    assert words_of("L'Été: R.E.M., part-2") == (["lete", "r", "e", "m", "part", "2"], ["rem", "part2"])


def edits(a, b):
    """Optimal string alignment, by the book."""
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i, j in itertools.product(range(1, len(a) + 1), range(1, len(b) + 1)):
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
        if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
            table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(a), len(b)]


def test_distances_are_those_of_optimal_string_alignment():
    words = ["".join(one) for n in range(1, 5) for one in itertools.product("abc", repeat=n)]
    letters, length = _matrix_of(words)
    for typed in ("a", "ab", "bca", "abca"):
        whole, begun = _distances(typed, letters, length)
        assert whole.tolist() == [edits(typed, one) for one in words]
        assert begun.tolist() == [min(edits(typed, one[:n]) for n in range(len(one) + 1)) for one in words]


def test_twenty_thousand_titles_are_searched_quickly():
    rng = np.random.default_rng(0)
    words = ["".join(one) for one in rng.choice(list("etaoinshrdlu"), (20_000, 8))]
    titles = [f"{words[a]} {words[b]} {words[c]} (1999)" for a, b, c in rng.integers(0, len(words), (20_000, 3))]
    index = TitleIndex(titles)
    started = time.perf_counter()
    assert titles[index.search(titles[77][:20])[0]][:20] == titles[77][:20]
    assert time.perf_counter() - started < 1  # milliseconds, on a machine that does nothing else
