"""How fast is an epoch of AutoRec at the shape of MovieLens 1M: against the dense form with a mask.

The dense form computes every output and multiplies the error by the mask of the ratings. Beside the epochs stand the
forms in which the output layer was tried at the ratings alone, forward and both gradients, of one batch of 256.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import ML_1M, generated
from timing import interleaved

from aerec.canonical import canonical_csr
from aerec.models import AutoRec
from aerec.network.batches import Pattern, SparseBatch
from aerec.network.device import use_bfloat16
from aerec.network.losses import observed_loss
from aerec.network.products import Scratch
from aerec.network.rows import SparseRows
from aerec.sparse import CSR, take_rows
from protocol import RESULTS, markdown, save, set_threads

HIDDEN = 500
CPU = torch.device("cpu")


def dense_epoch(X: CSR, batch_size: int) -> Callable[[], object]:
    """Item-based AutoRec in plain PyTorch; the rows of X are items."""
    network = nn.Sequential(nn.Linear(X.shape[1], HIDDEN), nn.Sigmoid(), nn.Linear(HIDDEN, X.shape[1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=0.01)

    def run() -> None:
        order = np.random.default_rng(0).permutation(X.shape[0])
        for chosen in np.array_split(order, -(-X.shape[0] // batch_size)):
            x = torch.from_numpy(take_rows(X, chosen).toarray())
            optimizer.zero_grad()
            loss = 0.5 * ((network(x) - x) * (x != 0)).square().sum() / len(chosen)
            loss.backward()
            optimizer.step()

    return run


def our_epoch(X: CSR, batch_size: int, precision: str) -> Callable[[], object]:
    model = AutoRec(hidden=HIDDEN, batch_size=batch_size, precision=precision, progress=False)
    model.hidden_rows_ = model.mean_ = model.user_bias_ = model.item_bias_ = None
    model.weight_decay_ = np.array([0.01])
    rows = SparseRows(X, CPU)
    model._begin(rows)
    return lambda: model._trainer.run_epoch(rows)


def output_layer_forms(X: CSR, compiled: bool) -> dict[str, Callable[[], object]]:
    """Return the output layer with its loss, forward and both gradients, in every form that was tried."""
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(X.shape[0])[:256])
    batch = SparseRows(X, CPU).batch(chosen)
    hidden = torch.rand(batch.n_rows, HIDDEN, requires_grad=True)
    weight = torch.randn(X.shape[1], HIDDEN).mul_(0.05).requires_grad_()
    bias = torch.zeros(X.shape[1], requires_grad=True)
    dense = torch.from_numpy(take_rows(X, chosen.numpy()).toarray())
    scratch = Scratch()  # memory of the gradients, as in training

    def masked() -> Tensor:
        return 0.5 * ((hidden @ weight.T + bias - dense) * (dense != 0)).square().sum()

    def gathered(batch: SparseBatch = batch) -> Tensor:
        logits = (hidden[batch.pattern.rows] * weight[batch.pattern.columns]).sum(dim=1) + bias[batch.pattern.columns]
        return 0.5 * (logits - batch.values).square().sum()

    def sampled() -> Tensor:
        return observed_loss(hidden, weight, bias, fresh(), scratch)

    def fresh() -> SparseBatch:
        return SparseBatch(
            Pattern(batch.pattern.starts, batch.pattern.columns, batch.pattern.n_columns),
            batch.values,
            batch.row_numbers,
        )

    forms: dict[str, Callable[[], Tensor]] = {
        "dense with a mask": masked,
        "rows gathered": gathered,
        "sampled product, two CSR products (kept)": sampled,
    }
    if compiled:
        forms["rows gathered, torch.compile"] = torch.compile(gathered)

    def whole(form: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: scratch.give(*torch.autograd.grad(form(), [hidden, weight, bias]))

    return {name: whole(form) for name, form in forms.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the items and ratings of ML-1M")
    parser.add_argument("--compile", action="store_true", help="try torch.compile too (needs a C++ compiler)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, on a busy machine")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(given.threads)
    torch.manual_seed(0)
    n_users, n_items, n_ratings = ML_1M
    X = generated(n_users, int(n_items * given.scale), int(n_ratings * given.scale), stars=True)
    X = canonical_csr(X.T)
    rows: list[list[str]] = []
    content: dict[str, Any] = {"threads": given.threads, "shape": X.shape, "n_ratings": X.nnz}
    for batch_size in (128, 512):
        rivals = {"dense with a mask": dense_epoch(X, batch_size), "aerec float32": our_epoch(X, batch_size, "float32")}
        if use_bfloat16("auto", CPU):
            rivals["aerec bf16"] = our_epoch(X, batch_size, "bf16")
        found = interleaved(rivals, given.rounds, cpu_time=given.cpu_time)
        content[f"epoch, batch {batch_size}"] = found
        for name, seconds in found.items():
            times = f"{found['dense with a mask'] / seconds:.1f}"
            rows.append([f"epoch, batch {batch_size}", name, f"{1e3 * seconds:.0f}", times])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = interleaved(output_layer_forms(X, given.compile), given.rounds, 2, cpu_time=given.cpu_time)
    content["output layer, batch 256"] = found
    for name, seconds in found.items():
        times = f"{found['dense with a mask'] / seconds:.1f}"
        rows.append(["output layer, batch 256", name, f"{1e3 * seconds:.1f}", times])
    title = f"AutoRec, {X.shape[1]:,} users × {X.shape[0]:,} items, {X.nnz:,} ratings, hidden {HIDDEN}"
    title += f", {given.threads} threads" + (", processor time" if given.cpu_time else "")
    save("autorec", title, markdown(["what", "form", "ms", "times as fast as dense"], rows), content, given.out)


if __name__ == "__main__":
    main()
