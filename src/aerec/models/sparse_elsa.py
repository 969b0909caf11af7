"""SparseELSA: ELSA with item vectors of few entries, for catalogues whose dense vectors take too much memory."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from aerec.dimensions import Number, Space, Whole
from aerec.display.progress import EpochProgress
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.network.batches import Batch, SparseBatch
from aerec.network.device import resolve_device, resolve_precision, torch_threads_for, with_gradients, without_gradients
from aerec.network.products import Scratch, scatter_rows
from aerec.network.rows import Rows, shuffled, sparse_rows
from aerec.network.unit_rows import automatic_shrinkage, require_memory_to_train, unit_products, unit_rows
from aerec.noise import MaskingNoise
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, column_counts, row_ids, row_positions
from aerec.splitting import Holdout
from aerec.training.loop import automatic_batch_size, automatic_epochs
from aerec.training.optimizers import make_optimizer

_EPOCHS_OF_A_MILLION = 8.0  # for epochs="auto", as in `Autoencoder`
_ANNEALED = 2 / 3  # share of the steps over which entries are taken away
_STEPS = 8  # after which entries are taken away again
_ITEMS = 2048  # Items whose vectors are widened at once; their scores stay in the cache
_MANY = 1000  # users for whom all vectors are widened once, instead of for each block of users
_LEVELS = np.float32(7)  # of a vector's entries above 0
_CUT = np.float32(0.85)  # share of the largest entry that is held: finer steps round the others less
_HALVES = np.finfo(np.float16)
_TINY = 1e-12
_CPU = torch.device("cpu")


class SparseELSA(Recommender):
    r"""`ELSA` whose item vectors have few entries: score = x · (AAᵀ − diag(AAᵀ)), the rows of A sparse.

    .. math:: \min_V \tfrac{1}{n} \sum_x w_x \, (2 - 2 \cos(\tilde x V V^\top - \tilde x, \; x)), \qquad \|V_j\| = 1,
              \quad \|V_j\|_0 \le k_j, \qquad A_j = \sqrt{\frac{n_j}{n_j + s}} \, V_j

    with a masked history x̃, the weight w of a user and the number n of users of an item as in `ELSA`. The entries go
    where the ratings are:
    :math:`k_j \propto n_j^\gamma`, at least 1, and `n_active` on average.

    Training begins with dense vectors. Over the first two thirds of the steps the entries of each row that are smallest
    in magnitude are set to 0, so that from `n_factors` geometrically fewer are left until there are k; in the last
    third those that are left learn on, at a rate that falls to 0. An entry takes half a byte, a whole number from −7 to
    7. Where it is takes a byte, with more than 256 factors 2, or a bit for each factor of the item, whichever is less.
    An item takes 6 bytes more, for what its numbers are multiplied by and for where they begin. A dense vector takes 4
    for each of its factors.

    Scoring takes two products with vectors that are widened block by block, sparse ones where there are few entries.
    For a thousand users and more all vectors are widened at once, for as long as these are ranked: to a byte for each
    factor, or to 12 for each of few entries. An empty history is ranked by popularity.

    Parameters
    ----------
    n_factors : int, default 256
        Length of the item vectors before any entry is taken away, at most 65,536.
    n_active : int, default 128
        Mean of k, the entries of a vector that are stored; all of them where there are no more factors.
    popularity_power : float ≥ 0, default 0.5
        γ. With 0 all items have `n_active` entries.
    epochs, batch_size : int or "auto", default "auto"
        As in `Autoencoder`, where a is 8. Vectors of hundreds of thousands of items cost the same in a batch of any
        size: there a large batch and few epochs are fast.
    learning_rate : float, default 0.03
        Of NAdam (the cost does not depend on the lengths that the rows of V have before they are scaled).
    noise : MaskingNoise or None, default MaskingNoise(0.2)
        As in `ELSA`; few entries learn less by heart, and large sets bear none.
    user_norm : float in [0, 1], default 0.5
    shrinkage : float ≥ 0 or "auto", default "auto"
        As in `ELSA`.
    device : str, default "auto"
    precision : {"auto", "float32", "bf16"}, default "auto"
        Of the matrix products in training, as in `Autoencoder`.
    seed : int, default 0
    progress : bool or int, default True

    Attributes
    ----------
    entries_ : ndarray of shape (⌈n_entries / 2⌉,), uint8
        The entries of A that are left, item after item, each rounded to sevenths of the scale of its item, the largest
        cut to it: two in a byte, the lower four bits first, 8 above their value.
    scales_ : ndarray of shape (n_items,), float16, or float32 where one is below 2⁻¹⁴ or above 65,504
        Those scales, by which the vectors are as long as before they were rounded.
    columns_ : ndarray of shape (n_entries,), uint8, or uint16 where there are more than 256 factors
        Their columns. Where that takes less, of shape (n_items, ⌈n_factors / 8⌉), uint8: a bit for each factor.
    starts_ : ndarray of shape (n_items + 1,), int32, or int64 where there are more than 2³¹ entries
        Where the entries of each item begin, and their number.
    factors_ : csr_array of shape (n_items, n_factors), float32
        A, made anew whenever it is asked for.

    References
    ----------
    Vančura, Alves, Kasalický, Kordík (2022). Scalable linear shallow autoencoder for collaborative filtering. RecSys.

    Vančura et al. (2026), on item vectors compressed to few entries while they are trained.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import SparseELSA
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = SparseELSA(n_factors=64, n_active=8, epochs=2, progress=False).fit(likes)
    >>> model.factors_.shape, model.factors_.nnz
    ((600, 64), 4799)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1, 2**16)],
        "n_active": [WholeNumber(1)],
        "popularity_power": [RealNumber(at_least=0)],
        "epochs": [WholeNumber(1), OneOf(("auto",))],
        "batch_size": [WholeNumber(1), OneOf(("auto",))],
        "learning_rate": [RealNumber(above=0)],
        "noise": [MaskingNoise, None],
        "user_norm": [RealNumber(at_least=0, at_most=1)],
        "shrinkage": [RealNumber(at_least=0), OneOf(("auto",))],
        "device": [str],
        "precision": [OneOf(("auto", "float32", "bf16"))],
        "seed": [WholeNumber(0, 2**32 - 1)],
        "progress": [bool, WholeNumber(0)],
    }
    _learned = ("entries_", "scales_", "columns_", "starts_")
    _popularity_for_empty = True

    search_space: ClassVar[Space] = {
        "n_factors": Whole(128, 1024, log=True),
        "n_active": Whole(8, 256, log=True),
        "popularity_power": Number(0.0, 1.0),
        "learning_rate": Number(0.01, 0.5, log=True),
    }

    entries_: NDArray[np.uint8]
    scales_: NDArray[np.float16] | NDArray[np.float32]
    columns_: NDArray[np.uint8] | NDArray[np.uint16]
    starts_: NDArray[np.int32] | NDArray[np.int64]

    def __init__(
        self,
        n_factors: int = 256,
        n_active: int = 128,
        popularity_power: float = 0.5,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 0.03,
        noise: MaskingNoise | None = MaskingNoise(0.2),  # noqa: B008 (frozen)
        user_norm: float = 0.5,
        shrinkage: float | str = "auto",
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        self.n_factors = n_factors
        self.n_active = n_active
        self.popularity_power = popularity_power
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.noise = noise
        self.user_norm = user_norm
        self.shrinkage = shrinkage
        self.device = device
        self.precision = precision
        self.seed = seed
        self.progress = progress

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        counts = column_counts(train.matrix)
        wanted = shared_entries(counts, float(self.popularity_power), int(self.n_active), int(self.n_factors))
        with with_gradients():
            vectors = self._trained(sparse_rows(train.matrix, resolve_device(self.device)), wanted).cpu().numpy()
        automatic = automatic_shrinkage(train.shape[0], train.n_ratings)
        shrinkage = automatic if self.shrinkage == "auto" else float(self.shrinkage)
        vectors *= np.sqrt(counts / np.maximum(counts + shrinkage, _TINY)).astype(np.float32)[:, None]
        self._hold(_largest_entries(vectors, wanted))

    @property
    def factors_(self) -> CSR:
        """A; shape (n_items, n_factors)."""
        check_is_fitted(self)
        return self._vectors().rows(slice(None))

    def _hold(self, vectors: _SparseVectors) -> None:
        self.entries_, self.scales_ = vectors.entries, vectors.scales
        self.columns_, self.starts_ = vectors.columns, vectors.starts

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        if self.entries_.dtype != np.uint8 or len(self.entries_) != -(-int(self.starts_[-1]) // 2):
            raise ValueError("entries_ are not two in a byte")

    def _vectors(self) -> _SparseVectors:
        return _SparseVectors(self.entries_, self.scales_, self.columns_, self.starts_, int(self._used("n_factors")))

    def _trained(self, rows: Rows, wanted: NDArray[np.int64]) -> Tensor:
        """Return V, with zeros, and with so many entries of each row as are `wanted`.

        A loop of its own: there is neither a checkpoint nor early stopping to share with `train`, and a `Network`
        and a `Trainer` for one matrix that loses entries after each step would be longer than the loop.
        """
        device, order = resolve_device(self.device), torch.Generator().manual_seed(int(self.seed))
        noise_from = torch.Generator(device).manual_seed(int(self.seed))
        shape = rows.shape[1], int(self.n_factors)
        require_memory_to_train(*shape, device)
        drawn = 2 * torch.rand(shape, generator=order, dtype=torch.float32) - 1
        weight = nn.Parameter(drawn.mul_((6 / sum(shape)) ** 0.5).to(device))
        half = resolve_precision(self.precision, device)
        rates: Any = {"learning_rate": float(self.learning_rate), "weight_decay": 0.0}
        optimizer = make_optimizer("NAdam", [weight], [], **rates, device=device)
        batch_size = automatic_batch_size(rows.shape[0]) if self.batch_size == "auto" else int(self.batch_size)
        automatic = automatic_epochs(_EPOCHS_OF_A_MILLION, rows.shape, batch_size)
        epochs = automatic if self.epochs == "auto" else int(self.epochs)
        n_batches, step = -(-rows.shape[0] // batch_size), 0
        n_steps = epochs * n_batches
        settled = math.ceil(_ANNEALED * n_steps)
        support, scratch = torch.ones_like(weight, requires_grad=False), Scratch()
        threads = torch_threads_for(min(batch_size, rows.shape[0]) * weight.numel())
        with threads, EpochProgress(type(self).__name__, epochs, self.progress) as progress:
            for epoch in range(1, epochs + 1):
                total = weight.new_zeros(())
                for chosen in shuffled(rows, order).tensor_split(n_batches):  # no small rest
                    optimizer.zero_grad()
                    batch = rows.batch(chosen)
                    masked = batch if self.noise is None else batch.corrupted(self.noise, noise_from)
                    cost = _cost(batch, masked, weight, scratch, float(self.user_norm), half)
                    torch.autograd.backward([cost])
                    with torch.no_grad():
                        optimizer.param_groups[0]["lr"] = float(self.learning_rate) * _slowed(step / n_steps)
                        optimizer.step()
                        step += 1
                        weight.mul_(support)
                        if step == settled or (step < settled and step % _STEPS == 0):
                            left = torch.as_tensor(entries_left(step / n_steps, shape[1], wanted), device=device)
                            support = _largest(weight, left)
                            weight.mul_(support)
                        total += cost * len(chosen)
                mean = float(total) / rows.shape[0]
                if not np.isfinite(mean):
                    raise TrainingError("the cost of SparseELSA is no longer a finite number; lower learning_rate")
                progress.epoch_done(epoch, {"cost": mean})
        return unit_rows(weight.detach())

    def _make_scorer(self) -> Scorer:
        return _SparseFactorScorer(self._vectors(), self._popularity)

    def _add_learned(self, added: NewItems) -> None:
        known = self.factors_
        n_known, n_items = known.shape[0], len(added.items)
        mixed = np.asarray((known[added.known].T @ added.shares.T).T)
        n_of_new = np.full(len(added.new), min(int(self._used("n_active")), known.shape[1]))
        parts = [self._vectors(), _largest_entries(mixed, n_of_new)]
        row = np.zeros(n_items, dtype=np.int64)  # of `parts`, one below the other
        row[:n_known], row[added.new] = np.arange(n_known), n_known + np.arange(len(added.new))
        self._hold(_joined(parts, row))


def _slowed(progress: float) -> float:
    """Return which share of the learning rate is left when so much of the training is over."""
    return min(1.0, max(1 - progress, 0.0) / (1 - _ANNEALED))


def entries_left(progress: float, n_factors: int, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many entries of each row are left when so much of the training is over; `wanted` at the end."""
    share = min(progress / _ANNEALED, 1.0)
    return np.rint(n_factors * (wanted / n_factors) ** share).astype(np.int64)


def shared_entries(counts: NDArray[np.int64], power: float, n_active: int, n_factors: int) -> NDArray[np.int64]:
    """Return how many entries each item may have: as countsᵖᵒʷᵉʳ, from 1 to `n_factors`, and `n_active` on average."""
    wanted = power * np.log(np.maximum(counts, 1))  # logarithms: powers would overflow
    n_entries, most = min(n_active, n_factors) * len(wanted), np.log(n_factors + 0.5)
    low, high = -wanted.max(initial=0), most - wanted.min(initial=0)
    for _ in range(64):
        middle = (low + high) / 2
        entries = np.floor(np.exp(np.minimum(middle + wanted, most))).clip(min=1)
        low, high = (middle, high) if entries.sum() <= n_entries else (low, middle)
    shared: NDArray[np.int64] = np.floor(np.exp(np.minimum(low + wanted, most))).clip(min=1).astype(np.int64)
    return shared


def _largest(weight: Tensor, n: Tensor) -> Tensor:
    """Return 1 in the places of the n[j] entries of row j that are largest in magnitude, 0 elsewhere.

    Entries as large as the last of them stay as well. On a processor NumPy sorts: by vector instructions, some twenty
    times as fast as the sort and the topk of PyTorch.
    """
    sizes = weight.abs()
    by_size = torch.from_numpy(np.sort(sizes.numpy(), axis=1)) if sizes.device.type == "cpu" else sizes.sort(dim=1)[0]
    return (sizes >= by_size.gather(1, weight.shape[1] - n[:, None])).to(weight.dtype)


def _cost(
    batch: Batch, masked: Batch, weight: Tensor, scratch: Scratch, user_norm: float, half: bool = False
) -> Tensor:
    """Return the mean over rows of w (2 − 2 cos(o, x)), as `ELSA` has it."""
    codes, gram = unit_products(batch if masked is batch else batch.above(masked), weight, scratch, half=half)
    wanted, code = codes[: batch.n_rows], codes[-batch.n_rows :]
    own, shared = batch.squares(), (code * wanted).sum(dim=1) - batch.products_with(masked)
    of_output = ((code @ gram) * code).sum(dim=1) - 2 * code.square().sum(dim=1) + masked.squares()
    cosine = shared / (of_output.clamp_min(_TINY) * own.clamp_min(_TINY)).sqrt()
    return (own.pow(1 - user_norm) * (2 - 2 * cosine)).mean()


def _largest_entries(vectors: NDArray[np.float32], wanted: NDArray[np.int64]) -> _SparseVectors:
    """Return the wanted[j] entries of row j that are largest in magnitude, rounded, and their columns in order."""
    places = np.argsort(-np.abs(vectors), axis=1, kind="stable")[:, : wanted.max(initial=0)]
    among = np.arange(places.shape[1]) < wanted[:, None]
    rows = np.repeat(np.arange(len(vectors)), wanted)
    order = np.lexsort((columns := places[among], rows))
    columns, n_factors = columns[order], vectors.shape[1]
    values, starts = vectors[rows, columns], np.append(0, np.cumsum(wanted))
    held = _CUT * np.maximum.reduceat(np.abs(values), starts[:-1]).clip(min=_TINY)
    numbers = np.rint(values * (_LEVELS / held)[rows]).clip(-_LEVELS, _LEVELS).astype(np.int8)
    of_numbers = np.add.reduceat(np.square(numbers, dtype=np.float32), starts[:-1])
    squares = np.add.reduceat(np.square(values), starts[:-1])
    scales = _LEVELS * np.sqrt(squares / of_numbers.clip(min=1))
    return _SparseVectors.of(numbers, _halved(scales), columns, starts, n_factors)


def _halved(scales: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """Return scales as float16 where it holds all of them to a 2,000th."""
    sizes = scales[scales > 0]
    fits = sizes.min(initial=1) >= _HALVES.smallest_normal and sizes.max(initial=1) <= _HALVES.max
    return scales.astype(np.float16) if fits else scales.astype(np.float32)


def _joined(parts: list[_SparseVectors], row: NDArray[np.int64]) -> _SparseVectors:
    """Return some rows of `parts`, which are counted on from one to the next."""
    plain = zip(*(part.plain() for part in parts), strict=True)
    numbers, columns, lengths = (np.concatenate(of_parts) for of_parts in plain)
    positions, starts = row_positions(np.append(0, np.cumsum(lengths)), row)
    scales = np.concatenate([part.scales for part in parts])[row]
    return _SparseVectors.of(numbers[positions], scales, columns[positions], starts, parts[0].n_factors)


@without_gradients()
def _product(batch: SparseBatch, dense: NDArray[np.float32]) -> NDArray[np.float32]:
    return scatter_rows(batch.pattern, batch.values, torch.from_numpy(dense)).numpy()


@dataclass(frozen=True, eq=False)
class _SparseVectors:
    """A, as `SparseELSA` holds it."""

    entries: NDArray[np.uint8]
    scales: NDArray[np.float16] | NDArray[np.float32]
    columns: NDArray[np.uint8] | NDArray[np.uint16]
    starts: NDArray[np.int32] | NDArray[np.int64]
    n_factors: int

    @classmethod
    def of(
        cls,
        numbers: NDArray[np.int8],
        scales: NDArray[np.float16] | NDArray[np.float32],
        columns: NDArray[np.integer[Any]],
        starts: NDArray[np.int64],
        n_factors: int,
    ) -> _SparseVectors:
        """Pack numbers from −7 to 7 and their columns, which are in order in each row."""
        raised = np.append(numbers + 8, np.full(len(numbers) % 2, 8, dtype=numbers.dtype)).astype(np.uint8)
        entries = raised[::2] + 16 * raised[1::2]
        narrow, n_items = columns.astype(np.min_scalar_type(n_factors - 1)), len(starts) - 1
        if n_items * -(-n_factors // 8) < narrow.nbytes:
            has = np.zeros((n_items, n_factors), dtype=bool)
            has[np.repeat(np.arange(n_items), np.diff(starts)), columns] = True
            narrow = np.packbits(has, axis=1)
        few = len(numbers) <= np.iinfo(np.int32).max
        return cls(entries, scales, narrow, starts.astype(np.int32) if few else starts, n_factors)

    @property
    def by_bits(self) -> bool:
        """Whether columns are a bit for each factor."""
        return self.columns.ndim == 2

    def rows(self, which: Any) -> CSR:
        """Return some rows in CSR form."""
        rows = np.arange(len(self.starts) - 1)[which]
        positions, starts = row_positions(self.starts, rows)
        columns = np.nonzero(self._has(rows))[1] if self.by_bits else self.columns[positions]
        values = self._numbers(positions) * np.repeat(self.steps(rows), np.diff(starts))
        return sp.csr_array((values, columns.astype(np.int32), starts), shape=(len(rows), self.n_factors))

    def widened(self, which: slice) -> SparseBatch | NDArray[np.int8]:
        """Return rows that follow each other, in float32; where columns are bits, dense and not yet times `steps`."""
        if not self.by_bits:
            return SparseBatch.of(self.rows(which), _CPU)
        has = self._has(which)
        dense = np.zeros(has.shape, dtype=np.int8)
        dense[has] = self._numbers(np.arange(self.starts[which.start], self.starts[which.stop]))
        return dense

    def blocks(self) -> Iterator[slice]:
        """Give rows that are widened at once."""
        for start in range(0, len(self.starts) - 1, _ITEMS):
            yield slice(start, min(start + _ITEMS, len(self.starts) - 1))

    def plain(self) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int64]]:
        """Return all numbers, their columns, and how many each row has."""
        lengths = np.diff(self.starts).astype(np.int64)
        return self._numbers(np.arange(self.starts[-1])), self.rows(slice(None)).indices, lengths

    def squares(self) -> NDArray[np.float32]:
        """Return the squares of the lengths of all rows, none of which is without entries."""
        numbers = self._numbers(np.arange(self.starts[-1]))
        squares: NDArray[np.float32] = np.add.reduceat(np.square(numbers, dtype=np.float32), self.starts[:-1])
        return squares * np.square(self.steps())

    def steps(self, rows: Any = slice(None)) -> NDArray[np.float32]:
        """Return what the whole numbers of each row are multiplied by."""
        steps: NDArray[np.float32] = self.scales[rows].astype(np.float32) / _LEVELS
        return steps

    def _has(self, rows: Any) -> NDArray[np.bool_]:
        """Return which factors some rows have."""
        return np.unpackbits(self.columns[rows], axis=1, count=self.n_factors).view(bool)

    def _numbers(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int8]:
        """Return entries as whole numbers."""
        halves = self.entries[positions >> 1] >> ((positions & 1) << 2).astype(np.uint8)
        numbers: NDArray[np.int8] = (halves & 15).astype(np.int8) - np.int8(8)
        return numbers


class _SparseFactorScorer(Scorer):
    """Scores by x (A Aᵀ − diag(A Aᵀ)), from sparse A."""

    def __init__(self, vectors: _SparseVectors, popularity: NDArray[np.float32] | None) -> None:
        super().__init__(len(vectors.starts) - 1, popularity)
        self._vectors = vectors
        self._squares = vectors.squares()
        self._widened: list[SparseBatch | NDArray[np.int8]] = []

    def prepared(self, n_users: int, k: int) -> Scorer:
        """Return a scorer that holds the vectors as the products take them, where many users are ranked."""
        if n_users < _MANY:
            return self
        scorer = copy.copy(self)
        scorer._widened = [self._vectors.widened(some) for some in self._vectors.blocks()]
        return scorer

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.decode(self.code(block), block)

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scores(block)[:, columns]

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · AᵢAⱼ, and 0 where i = j."""
        history = block.history
        products = (self._vectors.rows(history.indices) @ self._vectors.rows(columns).T).toarray()
        terms: NDArray[np.float64] = history.data[:, None] * products.astype(np.float64)
        terms[history.indices[:, None] == columns] = 0
        return terms

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A; shape (n_users, n_factors)."""
        history = block.history
        seen = np.zeros(self.n_items, dtype=bool)
        seen[history.indices] = True
        places = (np.cumsum(seen) - 1)[history.indices]
        of_them: CSR = sp.csr_array((history.data, places, history.indptr), shape=(block.n_users, int(seen.sum())))
        return _product(SparseBatch.of(of_them, _CPU), self._vectors.rows(seen).toarray())

    def code_size(self) -> int:
        """Return n_factors."""
        return self._vectors.n_factors

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return code · Aᵀ − x diag(AAᵀ)."""
        scores, history = self._products(code), block.history
        scores[row_ids(history), history.indices] -= history.data * self._squares[history.indices]
        return scores

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of the vectors, −∞ of those whose product is 0."""
        products = self._products(self._vectors.rows(columns).toarray())
        products[products == 0] = -np.inf
        lengths = np.sqrt(self._squares).clip(min=_TINY)
        products /= lengths
        products /= lengths[columns, None]
        return products

    def _products(self, code: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return code · Aᵀ, block by block of items."""
        products = np.empty((len(code), self.n_items), dtype=np.float32)
        queries = np.array(code.T, dtype=np.float32, order="C")
        for number, some in enumerate(self._vectors.blocks()):
            widened = self._widened[number] if self._widened else self._vectors.widened(some)
            if isinstance(widened, SparseBatch):
                products[:, some] = _product(widened, queries).T
            else:
                products[:, some] = (widened.astype(np.float32) @ queries).T
        if self._vectors.by_bits:
            products *= self._vectors.steps()
        return products

    def item_vectors(self) -> NDArray[np.float32]:
        """Return A as a dense array."""
        return self._vectors.rows(slice(None)).toarray()

    def query_vectors(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A."""
        return self.code(block)
