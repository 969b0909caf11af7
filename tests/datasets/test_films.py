"""Invented films: every title is another, says its year, and tells its genre by a word of its own."""

import numpy as np

from aerec.datasets.films import GENRES, film_titles


def test_titles_are_all_different_also_where_a_genre_has_sequels():
    genre = np.random.default_rng(0).integers(0, len(GENRES), 6000)
    titles = film_titles(genre, np.full(6000, 1968))
    assert len(set(titles)) == 6000
    assert all(title.startswith("The ") and title.endswith(" (1968)") for title in titles)
    assert any(title.endswith(" 2 (1968)") for title in titles)
    assert not any(" 2 (" in title for title in film_titles(genre[:500], np.full(500, 1968)))


def test_a_word_of_the_title_belongs_to_one_genre_alone():
    genre = np.repeat(np.arange(len(GENRES)), 40)
    nouns = [title.split()[2] for title in film_titles(genre, np.full(len(genre), 2000))]
    owners = {}
    for noun, number in zip(nouns, genre, strict=True):
        owners.setdefault(noun, set()).add(number)
    assert all(len(numbers) == 1 for numbers in owners.values())


def test_every_film_has_its_own_year():
    titles = film_titles(np.array([0, 1, 0]), np.array([1931, 1999, 2024]))
    assert [title[-5:-1] for title in titles] == ["1931", "1999", "2024"]
