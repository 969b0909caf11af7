"""How fast is a training step of Mult-VAE: against a plain dense PyTorch loop, and against its matrix products alone.

The dense loop is what most libraries do: rows made dense, float32, autograd and Adam as they come. The products are
those that the network cannot do without (output layer and hidden layers, forward and backward), in the precision of
the step, with the logits item after item in memory as aerec has them. All take turns in one process; the shortest time
of each counts. Where kernels were compiled, "pure" is aerec without them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import ML_20M, generated, ml_1m_implicit
from timing import interleaved

from aerec.models import MultVAE
from aerec.native import loader
from aerec.network.device import use_bfloat16
from aerec.network.rows import SparseRows
from aerec.sparse import CSR, take_rows
from protocol import RESULTS, markdown, save, set_threads

BATCH, HIDDEN, CODE = 500, 600, 200
CPU = torch.device("cpu")


class DenseVAE(nn.Module):
    """Mult-VAE as its papers' code and most libraries have it."""

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_items, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2 * CODE))
        self.decoder = nn.Sequential(nn.Linear(CODE, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, n_items))

    def forward(self, x: torch.Tensor, kl_weight: float) -> torch.Tensor:
        """Return the cost of a dense batch."""
        read = nn.functional.dropout(nn.functional.normalize(x), 0.5)
        mean, log_variance = self.encoder(read).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        likelihood = -(torch.log_softmax(self.decoder(code), dim=1) * x).sum(dim=1).mean()
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()
        return likelihood + kl_weight * kl


def dense_epoch(X: CSR) -> Callable[[], object]:
    network = DenseVAE(X.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def run() -> None:
        for chosen in np.array_split(np.random.default_rng(0).permutation(X.shape[0]), -(-X.shape[0] // BATCH)):
            x = torch.from_numpy(take_rows(X, chosen).toarray())
            optimizer.zero_grad()
            network(x, 0.2).backward()
            optimizer.step()

    return run


def our_epoch(X: CSR, precision: str) -> Callable[[], object]:
    model = MultVAE(hidden=(HIDDEN, CODE), batch_size=BATCH, precision=precision, progress=False)
    rows = SparseRows(X, CPU)
    model._begin(rows)  # the trainer without what fit does around it
    return lambda: model._trainer.run_epoch(rows)


def without_kernels(make: Callable[[], Callable[[], object]]) -> Callable[[], object]:
    """Return what `make` makes, made and run without the compiled kernels."""

    def pure(call: Callable[[], Any]) -> Any:
        before = os.environ.get(loader.SWITCH)
        try:
            os.environ[loader.SWITCH] = "0"
            _look_again()
            return call()
        finally:
            os.environ.pop(loader.SWITCH)
            os.environ.update({} if before is None else {loader.SWITCH: before})
            _look_again()

    run = pure(make)
    return lambda: pure(run)


def _look_again() -> None:
    for cached in (loader.is_used, loader._loaded):
        cached.cache_clear()


def products(X: CSR, dtype: torch.dtype) -> Callable[[], object]:
    """Return what multiplies as often as an epoch does, with nothing in between; logits item after item, as aerec's."""
    n_items = X.shape[1]
    shapes = [(HIDDEN, 2 * CODE), (CODE, HIDDEN), (HIDDEN, n_items)]
    layers = [(torch.randn(BATCH, a, dtype=dtype), torch.randn(b, a, dtype=dtype)) for a, b in shapes]
    made = [(x, w, (w @ x.T).T if len(w) == n_items else x @ w.T) for x, w in layers]

    def run() -> None:
        for _ in range(-(-X.shape[0] // BATCH)):
            for x, w, y in made:
                torch.mm(x, w.T, out=y)
                torch.mm(y, w, out=x)
                torch.mm(y.T, x, out=w)
                x.fill_(1e-3)
                w.fill_(1e-3)

    return run


def profile(run: Callable[[], object]) -> str:
    """Where the time of one epoch goes, as text."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        run()
    table = profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=45)
    return "\n".join(line.rstrip() for line in table.splitlines())


def measure(X: CSR, rounds: int, cpu_time: bool) -> tuple[dict[str, float], dict[str, str]]:
    """Return seconds of an epoch of each rival, and profiles of the dense one and ours."""
    torch.manual_seed(0)
    half = use_bfloat16("auto", CPU)
    rivals = {"dense float32": dense_epoch(X)}
    for precision in ("float32", "bf16") if half else ("float32",):
        if loader.is_used():
            rivals[f"aerec {precision}, pure"] = without_kernels(lambda p=precision: our_epoch(X, p))  # type: ignore[misc]
        rivals[f"aerec {precision}"] = our_epoch(X, precision)
    limits = {"products float32": products(X, torch.float32)}
    if half:
        limits["products bf16"] = products(X, torch.bfloat16)
    found = interleaved({**rivals, **limits}, rounds, cpu_time=cpu_time)
    best = "aerec bf16" if half else "aerec float32"
    return found, {name: profile(rivals[name]) for name in ("dense float32", best)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--users", type=int, default=3_000, help="users of the generated set of ML-20M's shape")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, on a busy machine")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(given.threads)
    small, small_name = ml_1m_implicit()
    n_ratings = round(ML_20M[2] * given.users / ML_20M[0])
    large = generated(given.users, ML_20M[1], n_ratings)
    content: dict[str, Any] = {"threads": given.threads, "rounds": given.rounds, "cpu_time": given.cpu_time, "data": {}}
    rows, texts = [], []
    for name, X in ((small_name, small), (f"generated, ML-20M's items, {given.users:,} users", large)):
        found, profiles = measure(X, given.rounds, given.cpu_time)
        steps = -(-X.shape[0] // BATCH)
        content["data"][name] = {"shape": X.shape, "n_ratings": X.nnz, "steps": steps, "seconds": found}
        for rival, seconds in found.items():
            limit = (
                found.get(rival.removesuffix(", pure").replace("aerec", "products"))
                if rival.startswith("aerec")
                else None
            )
            times = f"{found['dense float32'] / seconds:.2f}"
            share = "" if limit is None else f"{limit / seconds:.0%}"
            rows.append([name, rival, f"{seconds:.3f}", f"{1e3 * seconds / steps:.1f}", times, share])
        texts += [f"# {name}: {rival}\n\n{text}\n" for rival, text in profiles.items()]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "step-profile.txt").write_text("\n".join(texts), encoding="utf-8")
    header = ["data", "what", "s/epoch", "ms/step", "times the dense loop's speed", "share of the product rate"]
    title = f"Training step of Mult-VAE ({HIDDEN}, {CODE}), batch {BATCH}, {given.threads} threads"
    title += ", processor time" if given.cpu_time else ""
    save("step", title, markdown(header, rows), content, given.out)


if __name__ == "__main__":
    main()
