"""Metrics beyond accuracy: how known, how alike and how fairly spread the recommended items are.

Pure functions, vectorised over users; what grows with lists × genres is made block by block. NaN: nothing to measure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.metrics.formulas import Values
from aerec.metrics.lists import Recommended, as_ranking, matrix_of, within_catalogue
from aerec.sparse import CSR, ones_in, take_rows, with_values
from aerec.system.memory import row_blocks, rows_within

_BLOCK_BYTES = 64 * 2**20  # largest array


def novelty_at_k(recommended: Recommended, item_counts: ArrayLike, n_users: int, k: int | None = None) -> Values:
    r"""Mean self-information of the recommended items, in bits: how surprising it is that somebody has rated them.

    .. math:: \frac{1}{|L_u|} \sum_{i \in L_u} -\log_2 \frac{\max(c_i, 1)}{n}

    with :math:`c_i` of the n training users having rated item i; an item that nobody has rated counts as rated by one.
    The denominator is the number of recommended items, k unless the list is short.

    Parameters
    ----------
    recommended : array-like of shape (n_lists, n)
        Items, best first (integers, −1 for none); or scores of all items (floats).
    item_counts : array-like of shape (n_items,)
        Training users who rated each item.
    n_users : int
        Training users.
    k : int, optional
        Length of the list; by default all that was recommended (needed for scores).

    Returns
    -------
    ndarray of shape (n_lists,), float64
        NaN for an empty list.

    Raises
    ------
    DataError
        If an item is not among those counted, or more than `n_users` have rated one.

    References
    ----------
    Zhou et al. (2010). Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 107(10).

    Examples
    --------
    >>> from aerec.metrics import novelty_at_k
    >>> novelty_at_k([[0, 1], [1, 2]], item_counts=[8, 4, 1], n_users=8)
    array([0.5, 2. ])
    """
    counts = np.asarray(item_counts)
    if counts.size and counts.max() > n_users:
        raise DataError(f"item {int(counts.argmax())} is rated by {counts.max()} of {n_users} users; pass them all")
    ranking = within_catalogue(as_ranking(recommended, k), len(counts))
    shown = ranking >= 0
    bits = -np.log2(np.maximum(counts, 1) / n_users)
    return _ratio(np.where(shown, bits[ranking], 0.0).sum(axis=1), shown.sum(axis=1))


def gini_at_k(recommended: Recommended, n_items: int, k: int | None = None) -> float:
    r"""Gini coefficient of exposure: how unevenly often the items of the catalogue are recommended.

    .. math:: G = \frac{\sum_{j=1}^{n} (2j - n - 1)\, e_{(j)}}{n \sum_{j=1}^{n} e_{(j)}}

    with :math:`e_{(1)} \le \dots \le e_{(n)}` the number of lists that hold each of the n = `n_items` items. 0: all
    are shown alike; 1 − 1/n: one of them alone.

    Parameters
    ----------
    recommended, k
        As in `novelty_at_k`.
    n_items : int
        Size of the catalogue; items that are never shown count.

    Returns
    -------
    float
        NaN where nothing is recommended.

    References
    ----------
    Fleder, Hosanagar (2009). Blockbuster culture's next rise or fall. Management Science 55(5).

    Examples
    --------
    >>> from aerec.metrics import gini_at_k
    >>> gini_at_k([[0, 1], [2, 3]], n_items=4), gini_at_k([[0], [0]], n_items=4)
    (0.0, 0.75)
    """
    ranking = within_catalogue(as_ranking(recommended, k), n_items)
    exposure = np.sort(np.bincount(ranking[ranking >= 0], minlength=n_items))
    if not exposure.any():
        return float("nan")
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((weights @ exposure) / (n_items * exposure.sum()))


def genre_diversity_at_k(recommended: Recommended, genres: Any, k: int | None = None) -> Values:
    r"""Intra-list diversity by genre: mean over the pairs of a list of 1 − Jaccard similarity of their genres.

    .. math:: \frac{1}{|P_u|} \sum_{(i, j) \in P_u} 1 - \frac{|g_i \cap g_j|}{|g_i \cup g_j|}

    The denominator is the number of unordered pairs :math:`P_u` of recommended items that both have genres.

    Parameters
    ----------
    recommended, k
        As in `novelty_at_k`.
    genres : matrix of shape (n_items, n_genres)
        Not 0 where an item has a genre; sparse or dense.

    Returns
    -------
    ndarray of shape (n_lists,), float64
        NaN for a list with fewer than two items that have genres.

    References
    ----------
    Ziegler, McNee, Konstan, Lausen (2005). Improving recommendation lists through topic diversification. WWW.

    Examples
    --------
    >>> from aerec.metrics import genre_diversity_at_k
    >>> genre_diversity_at_k([[0, 1], [0, 2]], genres=[[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    array([0.5, 1. ])
    """
    has, ranking = ones_in(canonical_csr(genres)), as_ranking(recommended, k)
    width = within_catalogue(ranking, has.shape[0]).shape[1]
    values = np.empty(len(ranking))
    for rows in row_blocks(len(ranking), rows_within(_BLOCK_BYTES, 8 * width * max(width, has.shape[1]))):
        shown = ranking[rows]
        sets = take_rows(has, np.maximum(shown, 0).ravel()).toarray().reshape(len(rows), width, -1)
        sets[shown < 0] = 0
        size = sets.sum(axis=2)
        shared = sets @ sets.transpose(0, 2, 1)
        joined = size[:, :, None] + size[:, None, :] - shared
        pairs = (size[:, :, None] > 0) & (size[:, None, :] > 0) & np.triu(np.ones((width, width), dtype=bool), 1)
        apart = np.where(pairs, 1 - shared / np.maximum(joined, 1), 0.0)
        values[rows] = _ratio(apart.sum(axis=(1, 2), dtype=np.float64), pairs.sum(axis=(1, 2)))
    return values


def calibration_at_k(
    recommended: Recommended, history: Any, genres: Any, k: int | None = None, alpha: float = 0.01
) -> Values:
    r"""Miscalibration: how far the genres of the list are from those of the history; 0 is best.

    .. math:: \mathrm{KL}(p \,\|\, \tilde q) = \sum_g p(g|u) \ln \frac{p(g|u)}{\tilde q(g|u)}, \qquad
              \tilde q = (1 - \alpha)\, q + \alpha\, p,

    in nats, with p the mean over the items of the history of p(g|i) = 1 / \|genres of i\|, and q the same over the
    recommended items. The denominators of both means are the items that have genres; all of them weigh alike. At most
    −ln α (4.6 with the default), where list and history share no genre.

    Parameters
    ----------
    recommended, k
        As in `novelty_at_k`.
    history : Interactions or matrix of shape (n_lists, n_items)
        The ratings of each user; their values do not count.
    genres : matrix of shape (n_items, n_genres)
        As in `genre_diversity_at_k`.
    alpha : float in (0, 1), default 0.01
        Of the smoothing, without which a genre that is missing in the list would cost infinitely much.

    Returns
    -------
    ndarray of shape (n_lists,), float64
        NaN where no item of the list, or none of the history, has genres.

    References
    ----------
    Steck (2018). Calibrated recommendations. RecSys.

    Examples
    --------
    >>> from aerec.metrics import calibration_at_k
    >>> genres = [[1, 0], [0, 1], [1, 0], [0, 1]]
    >>> calibration_at_k([[2, 3], [2, -1]], history=[[1, 1, 0, 0], [0, 1, 0, 0]], genres=genres).round(2) + 0.0
    array([0.  , 4.61])
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha!r}")
    has = ones_in(canonical_csr(genres))
    ranking = within_catalogue(as_ranking(recommended, k), has.shape[0])
    rated = ones_in(history.matrix if isinstance(history, Interactions) else canonical_csr(history))
    if rated.shape != (len(ranking), has.shape[0]):
        raise DataError(f"{len(ranking)} lists and genres of {has.shape[0]} items, but the history is {rated.shape}")
    lengths = np.diff(has.indptr)
    share = with_values(has, 1 / np.repeat(lengths, lengths))
    values = np.empty(len(ranking))
    for rows in row_blocks(len(ranking), rows_within(_BLOCK_BYTES, 8 * has.shape[1])):
        p, q = (_genre_shares(of, share) for of in (take_rows(rated, rows), matrix_of(ranking[rows], has.shape[0])))
        known = (p.sum(axis=1) > 0) & (q.sum(axis=1) > 0)
        values[rows] = np.where(known, rel_entr(p, (1 - alpha) * q + alpha * p).sum(axis=1), np.nan)
    return values


def activity_groups(lengths: ArrayLike, n_groups: int = 3) -> NDArray[np.int64]:
    """Divide users by the length of their history, least active first; equal lengths stay together.

    Group g ends with the length of the user at place ⌈(g + 1) · n_users / n_groups⌉ in ascending order: the groups
    are quantiles, but for ties, which go to the lower one.

    Examples
    --------
    >>> from aerec.metrics import activity_groups
    >>> activity_groups([5, 1, 2, 2, 9, 7])
    array([1, 0, 0, 0, 2, 2])
    """
    values = np.asarray(lengths)
    if values.size == 0:
        return np.zeros(0, dtype=np.int64)
    ends = -(-np.arange(1, n_groups) * values.size // n_groups) - 1
    return np.searchsorted(np.sort(values)[ends], values, side="left").astype(np.int64)


def popularity_groups(item_counts: ArrayLike, n_groups: int = 3) -> NDArray[np.int64]:
    """Divide items into groups that hold the same share of the ratings each, most popular first.

    An item belongs to the share in which the first of its ratings falls, when they are counted item by item; of equal
    counts the lower column comes first. Items without a rating are in the last group.

    Examples
    --------
    >>> from aerec.metrics import popularity_groups
    >>> popularity_groups([1, 4, 2, 2, 0])
    array([2, 0, 1, 2, 2])
    """
    counts = np.asarray(item_counts, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.minimum(n_groups * before // max(int(counts.sum()), 1), n_groups - 1)
    groups[counts == 0] = n_groups - 1
    return groups


# ---------------------------------------------------------------------- parts of the formulas


def _genre_shares(items: CSR, share: CSR) -> NDArray[np.float64]:
    """Return p(g|u), the mean of `share` over the items that have genres; NaN where none has (0 / 0)."""
    total: NDArray[np.float64] = (items.astype(np.float64) @ share).toarray()
    return _ratio(total, total.sum(axis=1, keepdims=True))


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below, dtype=np.float64)
