"""Generated ratings: the same every time, and like films where it matters for recommending."""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec.baselines import Popularity
from aerec.datasets import generate_interactions, load_dataset
from aerec.datasets.films import GENRES, film_titles
from aerec.errors import DataError
from aerec.models import EASE
from aerec.sparse import row_ids

FINGERPRINT = """
import hashlib
from aerec.datasets import generate_interactions
data = generate_interactions(300, 120, 4000, seed=7)
parts = [data.matrix.data, data.matrix.indices.astype("int64"), data.timestamps]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts) + "|".join(data.item_names).encode()).hexdigest())
"""


def fingerprint(data):
    digest = hashlib.sha256()
    for part in (data.matrix.data, data.matrix.indices.astype(np.int64), data.timestamps):
        digest.update(part.tobytes())
    digest.update("|".join(data.item_names).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def sample():
    return load_dataset("sample")


# ---------------------------------------------------------------------- the same every time


def test_a_seed_gives_the_same_ratings_in_another_process():
    printed = subprocess.run([sys.executable, "-c", FINGERPRINT], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == fingerprint(generate_interactions(300, 120, 4000, seed=7))


def test_another_seed_gives_other_ratings():
    one, other = (generate_interactions(300, 120, 4000, seed=seed) for seed in (7, 8))
    assert fingerprint(one) != fingerprint(other)


def test_the_sample_is_the_one_of_every_platform_and_version(sample):
    """Published results name the sample: to change it is a change of the data set, and belongs in the changelog."""
    assert fingerprint(sample) == "2a1ff2e0ed393ac7702b44a77e37d91746bd2ae7baec83693ccee7fb0afe0c64"


def test_the_sample_is_made_once(sample):
    assert np.shares_memory(load_dataset("sample").matrix.data, sample.matrix.data)
    assert sample.shape == (1000, 600)
    assert sample.n_ratings == 60_000


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 0.3), st.integers(0, 99))
def test_counts_are_exactly_those_asked_for(n_users, n_items, share, seed):
    n_ratings = int(share * n_users * n_items)
    if n_ratings < 1:
        with pytest.raises(DataError):
            generate_interactions(n_users, n_items, n_ratings, seed)
        return
    data = generate_interactions(n_users, n_items, n_ratings, seed)
    assert data.shape == (n_users, n_items)
    assert data.n_ratings == n_ratings
    assert set(data.matrix.data) <= {1, 2, 3, 4, 5}
    assert data.item_names.is_unique


@pytest.mark.parametrize("counts", [(0, 10, 1), (10, -1, 1), (10, 10, 0), (10, 10, 31)])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(DataError, match=f"n_users={counts[0]}, .*expected positive counts and at most"):
        generate_interactions(*counts)


# ---------------------------------------------------------------------- like films


def test_popularity_falls_as_a_power_of_the_rank():
    data = generate_interactions(3000, 1000, 60_000, seed=3)
    counts = np.sort(np.bincount(data.matrix.indices, minlength=1000))[::-1]
    ranks = np.arange(1, 1001)
    middle = slice(30, 700)  # the head is flattened on purpose, the tail is noise
    slope, offset = np.polyfit(np.log(ranks[middle]), np.log(counts[middle] + 0.5), 1)
    left = np.log(counts[middle] + 0.5) - (slope * np.log(ranks[middle]) + offset)
    assert -1.6 < slope < -0.5
    assert left.std() < 0.15 * np.log(counts[middle] + 0.5).std() + 0.1
    assert counts[:100].sum() > 0.3 * counts.sum()


def test_users_differ_much_in_how_many_films_they_rate(sample):
    counts = np.diff(sample.matrix.indptr)
    assert counts.var() > 5 * counts.mean()  # alike users would have a variance of about the mean
    assert np.quantile(counts, 0.95) > 2 * np.median(counts)


def test_ratings_use_the_scale_as_people_do(sample):
    shares = np.bincount(sample.matrix.data.astype(int), minlength=6)[1:] / sample.n_ratings
    assert shares.min() > 0.02
    assert 3 < sample.matrix.data.mean() < 4
    assert np.argmax(shares) in (2, 3)  # three or four stars


def test_titles_are_readable_and_tell_the_year(sample):
    assert all(re.fullmatch(r"The [A-Z][a-z]+ [A-Z][A-Za-z-]+( \d+)? \(19\d\d\)", title) for title in sample.item_names)
    assert sample.item_names.is_unique
    assert all(1 <= len(genres) <= 2 and set(genres) <= set(GENRES) for genres in sample.item_genres)


def test_titles_tell_the_genre(sample):
    first = {title.split()[2]: genres[0] for title, genres in zip(sample.item_names, sample.item_genres, strict=True)}
    words = [title.split()[2] for title in sample.item_names]
    assert [first[word] for word in words] == [genres[0] for genres in sample.item_genres]


def test_titles_that_run_out_become_sequels():
    titles = film_titles(np.zeros(1000, dtype=np.int64), np.full(1000, 1999))
    assert len(set(titles)) == 1000
    assert any(re.search(r" 2 \(1999\)$", title) for title in titles)


def test_times_of_a_user_lie_together_and_within_the_years(sample):
    assert sample.timestamps.min() >= 820_454_400
    assert sample.timestamps.max() <= 1_041_379_200 + 61 * 86_400
    by_user = np.split(sample.timestamps, sample.matrix.indptr[1:-1])
    assert max(int(np.ptp(times)) for times in by_user if len(times)) <= 61 * 86_400


def test_users_prefer_their_genres(sample):
    """The film that a user rates next shares a genre with the five best liked more often than a random film does."""
    genre = np.array([GENRES.index(genres[0]) for genres in sample.item_genres])
    seen = np.zeros((sample.shape[0], len(GENRES)))
    np.add.at(seen, (row_ids(sample.matrix), genre[sample.matrix.indices]), 1)
    favourite = np.sort(seen, axis=1)[:, -1].sum() / seen.sum()
    shuffled = np.zeros_like(seen)
    others = np.random.default_rng(0).permutation(genre[sample.matrix.indices])
    np.add.at(shuffled, (row_ids(sample.matrix), others), 1)
    assert favourite > 1.3 * np.sort(shuffled, axis=1)[:, -1].sum() / seen.sum()


def test_personal_recommendations_beat_popular_ones(sample):
    """Hide every fifth rating, train on the rest, and count how many of the hidden ones are among the first 20."""
    hidden = np.random.default_rng(0).permutation(sample.n_ratings) % 5 == 0
    history, target = sample.keep(~hidden), sample.keep(hidden)
    wanted = target.matrix.toarray() > 0
    recall = {}
    for model in (EASE(l2=100.0), Popularity()):
        scores = model.fit(history).score_items(history)
        scores[history.matrix.toarray() > 0] = -np.inf
        first = np.argsort(-scores, axis=1)[:, :20]
        found = np.take_along_axis(wanted, first, axis=1).sum(axis=1)
        possible = np.minimum(wanted.sum(axis=1), 20)
        recall[type(model).__name__] = (found[possible > 0] / possible[possible > 0]).mean()
    assert recall["EASE"] > 1.2 * recall["Popularity"]
    assert recall["Popularity"] > 1.5 * 20 / 600  # and popular ones beat chance


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas copies on writing from 3 on")
def test_whoever_changes_titles_changes_their_own(sample):
    before = sample.item_names.tolist()
    mine = load_dataset("sample")
    mine.item_names.iloc[0] = "mine"
    assert load_dataset("sample").item_names.tolist() == sample.item_names.tolist() == before
