"""KFold: every user, or every rating, is tested once."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.model_selection import KFold as ReferenceKFold

from aerec import Interactions
from aerec.errors import DataError
from aerec.splitting import KFold


def generated(n_users=31, n_items=12, seed=0):
    user, item = np.nonzero(np.random.default_rng(seed).random((n_users, n_items)) < 0.4)
    return Interactions.from_frame(pd.DataFrame({"user": user + 100, "item": item, "rating": 1.0}))


def pairs(*parts):
    return sorted(pair for part in parts for pair in zip(*part.to_frame()[["user", "item"]].T.to_numpy(), strict=True))


@given(st.integers(2, 9), st.integers(5, 25), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
@settings(deadline=None, max_examples=40)
def test_by_ratings_each_rating_is_tested_once_and_trains_otherwise(n_splits, n_users, seed, validation_fraction):
    data = generated(n_users)
    splits = list(KFold(n_splits, "ratings", seed, validation_fraction=validation_fraction).splits(data))
    assert pairs(*(split.test.target for split in splits)) == pairs(data)
    expected = [len(test) for _, test in ReferenceKFold(n_splits).split(np.zeros(data.n_ratings))]
    assert [split.test.target.n_ratings for split in splits] == expected
    for split in splits:
        held_out = [one.target for one in (split.validation, split.test) if one is not None]
        assert pairs(split.train, *held_out) == pairs(data)
        assert pairs(split.test.history) == pairs(split.train)
        assert (split.validation is not None) == bool(validation_fraction)
        assert split.train.users.equals(data.users)


@given(st.integers(2, 9), st.integers(9, 31), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2]))
@settings(deadline=None, max_examples=40)
def test_by_users_each_user_is_tested_once_and_trains_otherwise(n_splits, n_users, seed, validation_fraction):
    data = generated(n_users)
    assume(data.shape[0] >= n_splits)
    splits = list(KFold(n_splits, "users", seed, validation_fraction=validation_fraction).splits(data))
    assert sorted(user for split in splits for user in split.test.history.users) == data.users.tolist()
    expected = [len(test) for _, test in ReferenceKFold(n_splits).split(np.zeros(data.shape[0]))]
    assert [split.test.n_users for split in splits] == expected
    for split in splits:
        parts = [split.train] + [p for one in (split.validation, split.test) if one for p in (one.history, one.target)]
        assert pairs(*parts) == pairs(data)
        assert (split.validation is not None) == bool(validation_fraction)
        trained, tested = set(split.train.users), set(split.test.history.users)
        watched = set(split.validation.history.users) if split.validation else set()
        assert len(trained) + len(tested) + len(watched) == data.shape[0]
        assert trained | tested | watched == set(data.users)
        counts = np.diff(split.test.history.matrix.indptr) + np.diff(split.test.target.matrix.indptr)
        shares = [0 if n < 2 else max(1, n // 5) for n in counts.tolist()]
        assert np.diff(split.test.target.matrix.indptr).tolist() == shares


@given(st.integers(2, 9), st.integers(9, 40), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_folds_of_users_keep_the_contract_of_group_k_fold(n_splits, n_users, seed):
    """Beside scikit-learn's, with users as groups: where all have as many ratings, as many users are in each fold."""
    n_each = 6
    user, item = np.divmod(np.arange(n_users * n_each), n_each)
    data = Interactions.from_frame(pd.DataFrame({"user": user, "item": item, "rating": 1.0}))
    ours = [
        (set(split.train.users), set(split.test.history.users)) for split in KFold(n_splits, seed=seed).splits(data)
    ]
    reference = GroupKFold(n_splits, shuffle=True, random_state=seed).split(user, groups=user)
    theirs = [(set(user[train]), set(user[test])) for train, test in reference]
    assert sorted(len(test) for _, test in ours) == sorted(len(test) for _, test in theirs)
    for folds in (ours, theirs):
        assert sorted(one for _, test in folds for one in test) == list(range(n_users))
        assert all(not train & test and len(train | test) == n_users for train, test in folds)


@given(st.integers(2, 9), st.integers(5, 25), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_folds_of_ratings_are_those_that_scikit_learn_makes_of_the_same_numbers(n_splits, n_users, seed):
    data = generated(n_users)
    stored = pairs(data)
    splits = list(KFold(n_splits, "ratings", seed).splits(data))
    fold_of = {pair: fold for fold, split in enumerate(splits) for pair in pairs(split.test.target)}
    reference = PredefinedSplit([fold_of[pair] for pair in stored]).split()
    for split, (train, test) in zip(splits, reference, strict=True):
        assert pairs(split.train) == [stored[at] for at in train]
        assert pairs(split.test.target) == [stored[at] for at in test]


def test_a_fold_is_the_same_however_many_were_asked_for_before():
    data = generated()
    everything = list(KFold(4).splits(data))
    iterator = KFold(4).splits(data)
    next(iterator)
    assert pairs(next(iterator).test.target) == pairs(everything[1].test.target)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KFold(1), "n_splits must be a whole number of at least 2, got 1"),
        (lambda: KFold(2.5), "n_splits must be a whole number of at least 2, got 2.5"),
        (lambda: KFold(by="items"), "by must be 'users' or 'ratings', got 'items'"),
        (lambda: KFold(fold_in=1.0), r"fold_in must be in \(0, 1\), got 1.0"),
        (lambda: KFold(validation_fraction=1.0), r"validation_fraction must be in \[0, 1\), got 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_more_folds_than_users_are_refused_before_the_first():
    with pytest.raises(DataError, match="30 users are too few for 31 folds; choose a smaller n_splits"):
        KFold(31).splits(generated())
    assert len(list(KFold(30).splits(generated()))) == 30


@pytest.mark.parametrize("by", ["users", "ratings"])
def test_somebody_is_left_to_train_on(by):
    data = generated()
    with pytest.raises(DataError, match="nothing to train on"):
        list(KFold(2, by, validation_fraction=0.999).splits(data))
