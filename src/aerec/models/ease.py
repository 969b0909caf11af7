"""EASE: the closed-form linear autoencoder with a zero diagonal (Steck 2019)."""

from __future__ import annotations

from typing import ClassVar

from aerec.closed_form.penalties import L2
from aerec.closed_form.ridge import SOLVER, RidgeRecommender
from aerec.dimensions import Number, Space
from aerec.parameters import Constraint, RealNumber


class EASE(RidgeRecommender):
    r"""Embarrassingly shallow autoencoder: score = x · B, where B reconstructs every item from all the others.

    .. math:: \min_B \|X - XB\|_F^2 + \lambda \|B\|_F^2 \quad\text{subject to}\quad \operatorname{diag}(B) = 0

    .. math:: B = I - P \cdot \operatorname{diagMat}(1 \oslash \operatorname{diag}(P)),
              \qquad P = (X^\top X + \lambda I)^{-1}

    Time grows with n_items³, memory with n_items²: one float32 matrix of that size is held. Where users are fewer than
    items, the same scores come from a matrix of n_users² (`solver`). Where it does not fit, `fit` refuses. An empty
    history is ranked by popularity. More users are learned and users forgotten exactly, by `partial_fit` and
    `replace_users`. With weights w of the ratings (`Interactions.with_weights`) X is √w · x: a user of weight 2 is two.

    Parameters
    ----------
    l2 : float > 0 or "auto", default "auto"
        λ. Larger for more users, longer histories and ratings of larger size; 100 to 2000 suit MovieLens. "auto" is
        7.2 times the root of the mean sum of a row of XᵀX, for ratings of 1: :math:`7.2 \sqrt{\sum_u n_u^2 / m}` with
        the lengths n of the histories and the number m of items with ratings.
    item_norm : float in [0, 1], default 0.0
        α: Bᵢⱼ is multiplied by (nᵢ / nⱼ)^α, with the numbers of ratings of both items. The larger, the fewer popular
        items are recommended.
    user_norm : float in [0, 1], default 0.0
        β: the ratings of a user with n ratings count n^−β times in XᵀX.
    diagonal : float in [0, 1], default 0.0
        ξ: the diagonal of B is bounded by it. With 0 an item never speaks for itself; with 1 there is no bound, and B
        is the plain ridge regression, which suits data of many items and few users.
    feature_weight : float >= 0, default 0.0
        w: w · FFᵀ is added to XᵀX, with the features F of the items (`Interactions.item_features`), as if everything
        that items have in common were a user who likes them, √w each time. Items without ratings get weights too.
        Then there is no `partial_fit`.
    solver : {"auto", "items", "users"}, default "auto"
        "items" holds B, which scores fastest. "users" holds the ratings X and a matrix of n_users² (features count as
        users) instead,

        .. math:: P = \tfrac1\lambda I - \tfrac1{\lambda^2} X^\top K X, \qquad K = (I + \tfrac1\lambda X X^\top)^{-1}

        and makes B only where `weights_` is asked for. "auto" takes "users" from 8,000 items on where these are at
        least twice as many as the users.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B; ``weights_[i, j]`` is what history item i adds to the score of item j. Zero diagonal.
    l2_ : float
        The λ that was used.
    ratings_, kernel_ : csr_array of shape (n_items, n_users), ndarray of shape (n_users, n_users), or None
        Xᵀ and K, with the solver "users".
    inverse_diagonal_, ridge_, item_counts_, n_users_ : ndarray
        What updates need beside the weights: diagonals of P and Λ, ratings of each item, number of users.

    References
    ----------
    Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW.
    Park, Yun, Kim, Lee (2025). Data-adaptive normalization for linear autoencoders. SIGIR. (`item_norm`, `user_norm`.)
    Moon, Kim, Lee (2023). It's enough: relaxing diagonal constraints in linear autoencoders for recommendation. SIGIR.
    (`diagonal`.)
    Jeunen, Van Balen, Goethals (2020). Closed-form models for collaborative filtering with side-information. RecSys.
    (CEASE: `feature_weight`.)

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.models import EASE
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> model = EASE(l2=1.0).fit(X)
    >>> model.weights_.round(2)
    array([[ 0.  ,  0.5 , -0.17],
           [ 0.57,  0.  ,  0.33],
           [-0.29,  0.5 ,  0.  ]], dtype=float32)
    >>> items, scores = model.recommend(csr_array([[1, 0, 0]]), k=1)
    >>> items
    array([[1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2": L2,
        "item_norm": [RealNumber(at_least=0, at_most=1)],
        "user_norm": [RealNumber(at_least=0, at_most=1)],
        "diagonal": [RealNumber(at_least=0, at_most=1)],
        "feature_weight": [RealNumber(at_least=0)],
        "solver": SOLVER,
    }

    search_space: ClassVar[Space] = {
        "l2": Number(5.0, 10_000.0, log=True),
        "item_norm": Number(0.0, 0.5),
        "diagonal": Number(0.0, 0.5),
    }

    def __init__(
        self,
        l2: float | str = "auto",
        item_norm: float = 0.0,
        user_norm: float = 0.0,
        diagonal: float = 0.0,
        feature_weight: float = 0.0,
        solver: str = "auto",
    ) -> None:
        self.l2 = l2
        self.item_norm = item_norm
        self.user_norm = user_norm
        self.diagonal = diagonal
        self.feature_weight = feature_weight
        self.solver = solver
