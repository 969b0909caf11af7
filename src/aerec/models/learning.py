"""How an autoencoder learns: from training data to rows, a network, and epoch after epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data
from typing_extensions import Self

from aerec.errors import DataError
from aerec.holdout import Holdout
from aerec.interactions import Interactions
from aerec.likelihood import LIKELIHOODS
from aerec.models.coding import Coding
from aerec.network.device import resolve_device
from aerec.network.rows import DenseRows, MappedRows, Rows, SparseRows, sparse_rows
from aerec.parameters import check_parameters
from aerec.recommender.base import History
from aerec.sparse import CSR, canonical_csr, refuse_masked
from aerec.training.callbacks import Callback
from aerec.training.early_stopping import Validator

__all__ = ["Learning"]


class Learning(Coding):
    """The side of the autoencoders that learns: fit and partial_fit."""

    def fit(
        self,
        train: History,
        validation: Any = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Iterable[Callback] = (),
    ) -> Self:
        """Learn from `train`, anew.

        Parameters
        ----------
        train : Interactions, sparse matrix or dense array of shape (n_rows, n_items)
        validation : Holdout, (history, target), or matrix of shape (n_rows, n_items), optional
            For early stopping: on a metric of a Holdout, on the cost of a matrix. Anything one-dimensional, such as
            the ``y`` that a scikit-learn pipeline passes, is ignored.
        checkpoint : path-like, optional
            A folder in which the state of the training is kept after every epoch. Where it holds one already, of the
            same data and parameters, the training goes on from it and ends where it would have ended uninterrupted,
            bit for bit on the same number of threads.
        callbacks : iterable of Callback
            Called after every epoch, such as those of `aerec.tracking`.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If there is nothing to learn from, the likelihood cannot take the values, or the checkpoint is of another
            training.
        TrainingError
            If the cost stops being a finite number, or explodes; names epoch, batch and the likely cause. The model
            keeps the weights of the best epoch so far (without validation data, of the last good one).

        Whatever goes wrong before the first epoch was validated (without validation data: before the first batch after
        it) leaves the model as it was, fitted or not.
        """
        check_parameters(self)
        with self._unchanged_on_error() as learned:
            self._fitted_with = self._copied_params()
            data = self._take_in(train, reset=True)
            rows = self._training_rows(data)
            self._start_on(rows)
            self._started(data, rows)
            validator = self._validator(validation)
            kept = None if checkpoint is None else (checkpoint, self._fingerprint(train, validator and validation))
            self._run(rows, self.epochs, validator, learned, checkpoint=kept, callbacks=callbacks)
        self._trainer.release()
        self._finished()
        return self

    def partial_fit(self, X: History, y: Any = None) -> Self:
        """Train for one more epoch over `X`, going on from the present weights and optimiser.

        What `set_params` has changed of the training (batch size, learning rate, weights of penalties) counts from then
        on; what made the network may not be changed.

        The learning rate is the one with which its schedule begins. With user factors, and in `AutoRec`, `X` holds the
        users of the first call, row by row.
        """
        check_parameters(self)
        fresh = not hasattr(self, "network_")
        with self._unchanged_on_error() as learned:
            if fresh:
                self._fitted_with = self._copied_params()
            data = self._take_in(X, reset=fresh)
            if not fresh:
                self._check_users(X, data.shape[0])
            rows = self._training_rows(data)
            if fresh:
                self._start_on(rows)
            else:
                self._check_width(rows.shape[1], self.network_.architecture.n_inputs)
                self._follow_parameters()
                learned()  # the weights change in place
            self._started(data, rows)
            self._run(rows, 1, None, learned)
        self._finished()
        return self

    @property
    def _n_kept_users(self) -> int | None:
        """Of how many users something is kept row by row; None where it is of none."""
        return self.network_.architecture.n_users if self.user_factors else None

    def _check_users(self, X: History, n_users: int) -> None:
        """Refuse other users than those of whom something is kept row by row."""
        if self._n_kept_users is None:
            return
        kept = f"what {type(self).__name__} has learned of its users is kept row by row"
        if n_users != self._n_kept_users:
            raise DataError(
                f"{kept}, for {self._n_kept_users:,} users, got {n_users:,}: partial_fit takes those of the first call"
            )
        if isinstance(X, Interactions) and self.users_ is not None and not X.users.equals(self.users_):
            raise DataError(
                f"{kept}: partial_fit takes the users of the first call in the same order; give "
                "X.with_users(model.users_)"
            )

    def _take_in(self, X: History, *, reset: bool) -> CSR | NDArray[np.float32]:
        """Check training data and return it: dense arrays as they are, all else as CSR over the model's items."""
        likelihood = LIKELIHOODS[self.likelihood]
        data: CSR | NDArray[np.float32]
        if reset:
            self._remember_columns(X)
        else:
            self._check_columns(X)
        if isinstance(X, Interactions):
            if reset:
                self._remember_ids(X, from_matrix=False)
            data = X.matrix if reset else self._history(X)[0]
        else:
            refuse_masked(X)
            X = canonical_csr(X) if issparse(X) else X  # before scikit-learn converts it, unchecked
            data = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=reset)
            if reset:
                self.items_ = self.users_ = None
            if issparse(data) or not likelihood.all_entries:
                data = canonical_csr(data)
        if self.negatives is not None and (isinstance(data, np.ndarray) or not likelihood.all_entries):
            raise DataError(
                f"negatives={self.negatives} samples the items without a rating: it needs sparse data and a likelihood "
                f"over all entries, got {type(data).__name__} and {self.likelihood!r}; set negatives=None"
            )
        values: NDArray[np.float32] = data if isinstance(data, np.ndarray) else data.data
        if values.size == 0:
            raise DataError(f"{type(self).__name__} has nothing to learn from: {data.shape[0]} rows without a rating")
        if values.min() < likelihood.lowest or values.max() > likelihood.highest:
            raise DataError(
                f"likelihood={likelihood.name!r} takes values from {likelihood.lowest:g} to {likelihood.highest:g}, "
                f"these go from {values.min():g} to {values.max():g}; binarize the ratings, or use 'gaussian'"
            )
        return data

    def _training_rows(self, data: CSR | NDArray[np.float32]) -> Rows:
        """Return the rows that the network reads, on the device."""
        device = resolve_device(self.device)
        return DenseRows(data, device) if isinstance(data, np.ndarray) else sparse_rows(data, device)

    def _start_on(self, rows: Rows) -> None:
        """Make a fresh network for `rows`; outputs that are ratings begin at the mean rating, not at 0."""
        self._start(rows.shape[1], rows.shape[0] if self.user_factors else 0)
        if isinstance(rows, SparseRows | MappedRows) and not LIKELIHOODS[self.likelihood].all_entries:
            with torch.no_grad():
                self.network_.decoder_biases[-1].fill_(rows.mean_wanted())

    def _started(self, data: CSR | NDArray[np.float32], rows: Rows) -> None:
        """Take from the training data what is needed during and after training; by default nothing."""

    def _remember_ids(self, data: Interactions, *, from_matrix: bool) -> None:
        super()._remember_ids(data, from_matrix=from_matrix)
        self.users_ = data.users if self.user_factors and not from_matrix else None

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self.fit(train, validation)

    def _validator(self, validation: Any) -> Validator | None:
        if (holdout := self._as_holdout(validation)) is not None:
            return self._holdout_validator(holdout, "rmse" if hasattr(self, "predict") else "ndcg@100")
        if not isinstance(validation, Interactions) and getattr(validation, "ndim", 0) < 2:
            return None
        rows, users = self._rows_of(validation)
        return Validator("validation_cost", lambda: self._cost_of(rows, users), higher_is_better=False)
