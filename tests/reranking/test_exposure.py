"""A minimum exposure: each group has its share of every beginning of a list, and no better item is passed over."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError
from aerec.metrics.beyond import popularity_groups
from aerec.reranking import MinimumExposure, popularity_labels

SHARES = [{"a": 0.5}, {"a": 0.3, "b": 0.3}, {"a": 0.5, "b": 0.5}, {"a": 0.2, "b": 0.1, "c": 0.7}, {"b": 1.0}]


def ranked(seed, n_items, n_users=3):
    rng = np.random.default_rng(seed)
    labels = dict(enumerate(rng.choice([*"abcd"], n_items).tolist()))
    indices = np.stack([rng.permutation(n_items) for _ in range(n_users)])
    scores = np.tile(-np.arange(n_items, dtype=np.float32), (n_users, 1))
    return labels, indices, scores, Interactions.from_matrix(np.ones((n_users, n_items)))


def fits(groups, shares):
    """Whether a list gives each group its share of each of its beginnings."""
    return all(
        groups[:n].count(group) >= np.floor(share * n + 1e-9)
        for n in range(1, len(groups) + 1)
        for group, share in shares.items()
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from(SHARES), st.integers(1, 12))
@settings(deadline=None)
def test_every_beginning_of_a_list_has_the_share_of_each_group(seed, shares, k):
    labels, indices, scores, data = ranked(seed, 120)
    found, _ = MinimumExposure(shares).rerank((indices, scores), data, k, features=labels)
    for row in found.tolist():
        assert len(set(row)) == k
        assert fits([labels[item] for item in row], shares)


@given(st.integers(0, 2**32 - 1), st.sampled_from(SHARES[:3]))
@settings(deadline=None, max_examples=25)
def test_no_other_list_of_that_kind_begins_with_better_items(seed, shares):
    labels, indices, scores, data = ranked(seed, 7, 1)
    labels |= {0: "a", 1: "a", 2: "b", 3: "b"}  # enough of both
    found, _ = MinimumExposure(shares).rerank((indices, scores), data, 4, features=labels)
    place = {item: at for at, item in enumerate(indices[0].tolist())}
    allowed = [one for one in itertools.permutations(place, 4) if fits([labels[item] for item in one], shares)]
    assert found[0].tolist() == list(min(allowed, key=lambda one: [place[item] for item in one]))


def test_a_group_without_candidates_is_given_up():
    labels, indices, scores, data = ranked(0, 20)
    labels = {item: "b" if label == "b" else "c" for item, label in labels.items()} | {19: "a"}
    indices = np.where(indices == 19, -1, indices)
    scores = np.where(indices < 0, -np.inf, scores)
    found, _ = MinimumExposure({"a": 0.5, "b": 0.4}).rerank((indices, scores), data, 5, features=labels)
    for row in found.tolist():
        assert fits([labels[item] for item in row], {"b": 0.4})


def test_by_default_groups_are_those_of_popularity():
    rng = np.random.default_rng(0)
    data = Interactions.from_matrix((rng.random((40, 30)) < np.linspace(0.9, 0.05, 30)).astype(np.float32))
    labels = popularity_labels(data)
    counts = np.diff(data.matrix.tocsc().indptr)
    assert labels.map({"head": 0, "middle": 1, "tail": 2}).tolist() == popularity_groups(counts).tolist()
    indices = np.tile(np.argsort(-counts, kind="stable"), (40, 1))
    scores = np.tile(np.arange(30, 0, -1, dtype=np.float32), (40, 1))
    found, _ = MinimumExposure({"tail": 0.4}).rerank((indices, scores), data, 5)
    assert (labels.to_numpy()[found] == "tail").sum(axis=1).tolist() == [2] * 40


def test_without_a_share_the_order_stays():
    labels, indices, scores, data = ranked(1, 30)
    found, kept = MinimumExposure({"a": 0.0}).rerank((indices, scores), data, 6, features=labels)
    assert found.tolist() == indices[:, :6].tolist()
    assert kept.tolist() == scores[:, :6].tolist()


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({}, "at least one group"),
        ({"a": 0.6, "b": 0.5}, "at most 1 in sum"),
        ({"a": "much"}, "the share of 'a' must be from 0 to 1, got 'much'"),
        ({"a": 1.2}, "the share of 'a' must be from 0 to 1, got 1.2"),
    ],
)
def test_shares_that_make_no_sense_are_refused_at_once(shares, message):
    with pytest.raises(ValueError, match=message):
        MinimumExposure(shares)


def test_an_unknown_group_is_named():
    labels, indices, scores, data = ranked(1, 30)
    with pytest.raises(DataError, match=r"no item is in the group 'z'; there are \['a', 'b', 'c', 'd'\]"):
        MinimumExposure({"z": 0.1}).rerank((indices, scores), data, features=labels)
    with pytest.raises(DataError, match="none of the labels is of an item of data"):
        MinimumExposure({"a": 0.1}).rerank((indices, scores), data, features={"x": "a"})
    with pytest.raises(DataError, match="no item is in the group 'z'"):
        MinimumExposure({"z": 0.1}).rerank((indices, scores), data, features={**labels, "x": "z"})
