"""The contract that every recommender obeys, as one check: for the models of aerec and for your own."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone

from aerec.errors import MissingExtraError
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender, goes_by_time
from aerec.registry import load_model
from aerec.sparse import CSR

_USERS, _ITEMS = 30, 20


def check_recommender(estimator: Recommender) -> None:
    """Check that a recommender keeps the contract of `aerec.recommender.base.Recommender`.

    The model is trained several times on 30 users and 20 items with values of 0.5 and 1 (so that every likelihood
    takes them), among them a user and an item without a rating. Checked are: parameters are stored unchanged, cloned
    and set; `fit` leaves its input and the parameters as they are, and a second one gives the same scores; the order
    of a history, its number type, its layout (sparse or dense) and the users beside it do not matter; scores are
    finite, also for empty and unknown histories and those with times; seen and blocked items are left out; lists longer
    than the catalogue are filled up with −1; frames and arrays agree; a saved model scores exactly as before. Models
    that go by the order of a history, such as `RecencyWeighted`, get times with all data; what a matrix without times
    would show is left out.

    Parameters
    ----------
    estimator : Recommender
        With hyper-parameters that train quickly; it is cloned, not fitted.

    Raises
    ------
    AssertionError
        At the first check that fails; its text names the class, the check and what was found.
    MissingExtraError
        If the model needs a package that is not installed.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> from aerec.testing import check_recommender
    >>> check_recommender(EASE(l2=10.0))
    """
    name = type(estimator).__name__
    _run(name, _parameters_are_stored_unchanged, estimator)
    model, data = clone(estimator), _training_data()
    if goes_by_time(estimator):
        data = _timed(data)
        model.fit(data)
        checks = _TIMED_CHECKS
    else:
        _run(name, _fit_leaves_its_input_and_parameters_as_they_are, model, data)
        checks = _CHECKS
    for check in checks:
        _run(name, check, model, data)


def _run(name: str, check: Callable[..., None], *arguments: Any) -> None:
    title = check.__name__.strip("_").replace("_", " ")
    try:
        check(*arguments)
    except MissingExtraError:
        raise
    except Exception as error:
        what = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        raise AssertionError(f"{name} fails the check “{title}”: {what}{error}") from error


# ---------------------------------------------------------------------- the checks before and during fit


def _parameters_are_stored_unchanged(estimator: Recommender) -> None:
    given = estimator.get_params(deep=False)
    stored = type(estimator)(**given)
    for key, value in given.items():
        _require(
            getattr(stored, key) is value, f"__init__ stores {key} as {getattr(stored, key)!r}, it was given {value!r}"
        )
    copied = clone(estimator).get_params(deep=False)
    same = _plain(copied) == _plain(given)
    _require(same, f"clone has the parameters {copied}, the original {given}")
    again = clone(estimator).set_params(**given)
    _require(again.get_params(deep=False) == given, "set_params(**get_params()) changes the parameters")


def _fit_leaves_its_input_and_parameters_as_they_are(model: Any, data: Interactions) -> None:
    parameters = model.get_params(deep=False)
    _require(model.fit(data) is model, "fit does not return self")
    _require(
        all(model.get_params(deep=False)[key] is value for key, value in parameters.items()), "fit changes parameters"
    )
    sparse, dense = _unsorted(data.matrix), data.matrix.toarray()
    before = [array.copy() for array in (sparse.data, sparse.indices, sparse.indptr, dense)]
    for given in (sparse, dense):
        clone(model).fit(given).recommend(given, k=3)
    same = map(np.array_equal, before, (sparse.data, sparse.indices, sparse.indptr, dense))
    _require(all(same), "fit or recommend changes the matrix that it was given")


# ---------------------------------------------------------------------- the checks of a fitted model
# (model: Any, because `recommend` gives a frame or arrays, by the type of the history)


def _scores_are_finite_numbers_of_the_right_shape(model: Any, data: Interactions) -> None:
    for history in (data, _new_users(data), data.matrix):
        scores = model.score_items(history)
        _require(scores.shape == history.shape, f"scores of shape {scores.shape} for a history of {history.shape}")
        _require(scores.dtype == np.float32, f"scores are {scores.dtype}, expected float32")
        _require(bool(np.isfinite(scores).all()), "scores hold NaN or infinite values")


def _a_second_fit_gives_the_same_scores(model: Any, data: Interactions) -> None:
    history = _new_users(data)
    first = model.score_items(history)
    other = clone(model).fit(data)
    _require(np.array_equal(other.score_items(history), first), "a clone fitted on the same data scores differently")
    other.fit(data)
    _require(np.array_equal(other.score_items(history), first), "fitted a second time it scores differently")


def _the_order_of_a_history_does_not_matter(model: Any, data: Interactions) -> None:
    matrix = _new_users(data).matrix
    scores = model.score_items(matrix)
    _same_scores(model.score_items(_unsorted(matrix)), scores, "the items of each row in another order")
    shuffled = np.random.default_rng(1).permutation(matrix.shape[0])
    _same_scores(model.score_items(matrix[shuffled]), scores[shuffled], "the users in another order")
    turned = data.select_users(data.users[::-1])
    _same_scores(model.score_items(turned)[::-1], model.score_items(data), "the training users in another order")


def _a_batch_of_users_equals_one_by_one(model: Any, data: Interactions) -> None:
    for history in (data, _new_users(data)):
        alone = [model.score_items(history.select_users([user])) for user in history.users]
        _same_scores(np.concatenate(alone), model.score_items(history), "users one by one")


def _number_type_and_layout_do_not_matter(model: Any, data: Interactions) -> None:
    matrix = _new_users(data).matrix
    scores = model.score_items(matrix)
    for given in (matrix.astype(np.float64), matrix.tocsc(), matrix.tocoo(), sp.csr_matrix(matrix)):
        what = f"a {type(given).__name__} of {given.dtype}"
        _require(np.array_equal(model.score_items(given), scores), f"{what} as history gives other scores")
    for dtype in (np.float32, np.float64):
        dense = model.score_items(matrix.toarray().astype(dtype))
        _require(np.array_equal(dense, scores), f"a dense array of {dtype.__name__} as history gives other scores")
    trained = [clone(model).fit(data.matrix.astype(dtype)).score_items(matrix) for dtype in (np.float32, np.float64)]
    _require(np.array_equal(*trained), "training on float64 gives other scores than on float32")


def _seen_items_are_left_out(model: Any, data: Interactions) -> None:
    for history in (data, _new_users(data)):
        ranking, _ = model.rank(history, k=5)
        for row, items in enumerate(ranking):
            both = np.intersect1d(items, _seen(history.matrix, row))
            _require(both.size == 0, f"user {history.users[row]!r} gets items of the history: {both.tolist()}")
        ranking, _ = model.rank(history, k=_ITEMS, exclude_seen=False)
        complete = np.array_equal(np.sort(ranking, axis=1), np.tile(np.arange(_ITEMS), (history.shape[0], 1)))
        _require(complete, "exclude_seen=False does not rank the whole catalogue")


def _the_best_scores_come_first(model: Any, data: Interactions) -> None:
    history = _new_users(data)
    scores = model.score_items(history)
    ranking, values = model.rank(history, k=5, exclude_seen=False)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    _require(np.array_equal(ranking, expected), "rank does not give the items of highest score, the lower column first")
    _require(np.array_equal(values, np.take_along_axis(scores, expected, axis=1)), "rank gives other scores")


def _lists_beyond_the_catalogue_are_filled_up(model: Any, data: Interactions) -> None:
    history = _new_users(data)
    ranking, values = model.rank(history, k=_ITEMS + 5)
    _require(ranking.shape == (history.shape[0], _ITEMS + 5), f"k={_ITEMS + 5} gives arrays of shape {ranking.shape}")
    left = _ITEMS - np.diff(history.matrix.indptr)
    filled = np.arange(_ITEMS + 5) >= left[:, None]
    _require(np.array_equal(ranking < 0, filled), "places without a candidate are not filled up with index -1")
    _require(np.array_equal(np.isneginf(values), filled), "places without a candidate do not have score -inf")
    frame = model.recommend(history, k=_ITEMS + 5)
    counts = frame["user"].value_counts().reindex(history.users, fill_value=0).to_numpy()
    _require(np.array_equal(counts, left), "the frame does not have one row per candidate")


def _a_user_who_has_seen_everything_gets_nothing(model: Any, data: Interactions) -> None:
    full = Interactions.from_matrix(np.ones((1, _ITEMS)), users=["full"], items=data.items)
    _require(len(model.recommend(full, k=3)) == 0, "the frame holds items")
    ranking, values = model.recommend(full.matrix, k=3)
    _require(bool((ranking == -1).all() and np.isneginf(values).all()), "the arrays hold items")


def _empty_and_unknown_histories_are_ranked(model: Any, data: Interactions) -> None:
    empty = Interactions.from_matrix(sp.csr_array((2, _ITEMS)), users=["new", data.users[0]], items=data.items)
    scores = model.score_items(empty)
    _require(bool(np.isfinite(scores).all()), "an empty history gives NaN or infinite scores")
    _require(len(model.recommend(empty, k=3)) == 6, "an empty history does not get a full list")
    unknown = Interactions.from_matrix([[1, 1, 0], [0, 0, 1]], users=["a", "b"], items=[-1, -2, data.items[0]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = model.score_items(unknown)
    _require(any(issubclass(warning.category, UserWarning) for warning in caught), "unknown items give no warning")
    _require(scores.shape == (2, _ITEMS), f"unknown items change the shape of the scores to {scores.shape}")
    _same_scores(scores[:1], model.score_items(sp.csr_array((1, _ITEMS))), "a history of unknown items, read as empty,")


def _allowed_and_blocked_items_are_obeyed(model: Any, data: Interactions) -> None:
    history = _new_users(data)
    allowed, blocked = data.items[3:9], data.items[5:7]
    some = model.recommend(history, k=_ITEMS, allow_items=allowed)
    _require(set(some["item"]) <= set(allowed), "allow_items lets other items through")
    other = model.recommend(history, k=_ITEMS, allow_items=allowed, block_items=blocked)
    allowed = some[~some["item"].isin(blocked)]
    same = other[["user", "item", "score"]].equals(allowed[["user", "item", "score"]].reset_index(drop=True))
    _require(same, "block_items does more or less than taking the blocked items out of the list")
    ranking, _ = model.recommend(history.matrix, k=_ITEMS, block_items=[5, 6])
    _require(not np.isin(ranking, [5, 6]).any(), "block_items lets column numbers through")


def _frames_and_arrays_agree(model: Any, data: Interactions) -> None:
    history = _new_users(data)
    frame = model.recommend(history, k=4)
    columns = list(frame.columns)
    _require(columns == ["user", "item", "rank", "score"], f"the frame has the columns {columns}")
    ranking, values = model.recommend(history.matrix, k=4)
    rows, places = np.nonzero(ranking >= 0)
    expected = pd.DataFrame(
        {
            "user": history.users.take(rows),
            "item": data.items.take(ranking[rows, places]),
            "rank": places + 1,
            "score": values[rows, places],
        }
    )
    _require(frame.equals(expected), "for users it does not know it gives other lists than for the bare matrix")


def _all_data_can_be_fitted_and_recommended_for(model: Any, data: Interactions) -> None:
    frame: pd.DataFrame = clone(model).fit(data).recommend(data, k=2)
    complete = frame["user"].value_counts().reindex(data.users, fill_value=0)
    _require(bool((complete == 2).all()), "not every training user gets a list of 2")


def _a_saved_model_scores_exactly_as_before(model: Any, data: Interactions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        model.save(path)
        loaded: Any = load_model(path, models=[type(model)])
    _require(type(loaded) is type(model), f"load_model gives a {type(loaded).__name__}")
    restored, given = loaded.get_params(deep=False), model.get_params(deep=False)
    _require(_plain(restored) == _plain(given), f"loaded with the parameters {restored}, saved with {given}")
    for history in (data, _new_users(data), data.matrix):
        _require(np.array_equal(loaded.score_items(history), model.score_items(history)), "the scores differ")
    _require(model.recommend(data, k=3).equals(loaded.recommend(data, k=3)), "the lists differ")


def _histories_with_times_are_scored(model: Any, data: Interactions) -> None:
    fitted = clone(model).fit(_timed(data))
    for history in map(_timed, (data, _new_users(data))):
        scores = fitted.score_items(history)
        finite = scores.shape == history.shape and bool(np.isfinite(scores).all())
        _require(finite, "scores of a history with times are not finite numbers, one for each item")
        alone = [fitted.score_items(history.select_users([user])) for user in history.users]
        _same_scores(np.concatenate(alone), scores, "users with times one by one")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        fitted.save(path)
        loaded: Any = load_model(path, models=[type(model)])
    _require(np.array_equal(loaded.score_items(history), scores), "trained with times, a saved model scores otherwise")


_CHECKS: tuple[Callable[[Any, Interactions], None], ...] = (
    _scores_are_finite_numbers_of_the_right_shape,
    _a_second_fit_gives_the_same_scores,
    _the_order_of_a_history_does_not_matter,
    _a_batch_of_users_equals_one_by_one,
    _number_type_and_layout_do_not_matter,
    _seen_items_are_left_out,
    _the_best_scores_come_first,
    _lists_beyond_the_catalogue_are_filled_up,
    _a_user_who_has_seen_everything_gets_nothing,
    _empty_and_unknown_histories_are_ranked,
    _allowed_and_blocked_items_are_obeyed,
    _frames_and_arrays_agree,
    _all_data_can_be_fitted_and_recommended_for,
    _a_saved_model_scores_exactly_as_before,
    _histories_with_times_are_scored,
)


_TIMED_CHECKS: tuple[Callable[[Any, Interactions], None], ...] = (
    _a_second_fit_gives_the_same_scores,
    _a_batch_of_users_equals_one_by_one,
    _seen_items_are_left_out,
    _the_best_scores_come_first,
    _lists_beyond_the_catalogue_are_filled_up,
    _all_data_can_be_fitted_and_recommended_for,
    _histories_with_times_are_scored,
)


def _plain(value: Any) -> Any:
    """Return parameters in a form that compares by value, also where a model is among them."""
    if isinstance(value, Recommender):
        return type(value), _plain(value.get_params(deep=False))
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


# ---------------------------------------------------------------------- their data


def _training_data() -> Interactions:
    """Two tastes with popular and rare items; the last user and the last item have no rating."""
    rng = np.random.default_rng(0)
    taste = np.where(np.arange(_USERS)[:, None] % 2 == np.arange(_ITEMS) % 2, 0.6, 0.15)
    rated = rng.random((_USERS, _ITEMS)) < taste * np.linspace(1.2, 0.4, _ITEMS)
    rated[np.arange(_USERS), np.arange(_USERS) % 7] = True
    rated[-1] = rated[:, -1] = False
    values = np.where(rated, rng.choice([0.5, 1.0], size=rated.shape), 0)
    return Interactions.from_matrix(values, [f"u{at:02d}" for at in range(_USERS)], 10 + 3 * np.arange(_ITEMS))


def _new_users(data: Interactions) -> Interactions:
    """Users that are not in the training data, the first without a rating."""
    rng = np.random.default_rng(2)
    values = rng.choice([0, 0, 0, 0.5, 1.0], size=(6, _ITEMS))
    values[0] = 0
    users = Interactions.from_matrix(values, [f"new{at}" for at in range(6)], data.items)
    return users if data.timestamps is None else _timed(users)


def _timed(data: Interactions) -> Interactions:
    """Return the same ratings with times, each a different one."""
    return replace(data, timestamps=10**9 + np.random.default_rng(3).permutation(data.n_ratings))


def _unsorted(matrix: CSR) -> CSR:
    """Return the same rows, each with its columns in descending order."""
    order = np.lexsort((-matrix.indices, np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))))
    return sp.csr_array((matrix.data[order], matrix.indices[order], matrix.indptr.copy()), shape=matrix.shape)


def _seen(matrix: CSR, row: int) -> NDArray[Any]:
    return np.asarray(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]])


def _same_scores(scores: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    close = np.allclose(scores, expected, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(expected).max())))
    apart = float(np.abs(scores - expected).max()) if scores.shape == expected.shape else float("nan")
    _require(close, f"{what} give other scores, up to {apart:.3g} apart")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
