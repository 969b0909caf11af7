"""Training and ranking on a GPU: seconds, share of the rate of bare bfloat16 products, users per second.

    AEREC_DATA=… python benchmarks/speed/accelerator.py

Data of ML-20M's shape. The rivals of the training step are the dense loop that most libraries have (rows made dense on
the processor, float32) and the best that such a loop can be (rows made dense on the device, autocast, fused Adam).
Where ml-1m-implicit is at hand, the quality after training on the GPU and on the processor stand beside each other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quality"))
from generated import ML_20M, generated, ml_1m_implicit
from step import CODE, HIDDEN, DenseVAE
from timing import interleaved

from aerec import evaluate
from aerec.models import MultVAE
from aerec.network import losses
from aerec.network.rows import SparseRows
from aerec.sparse import CSR, take_rows
from aerec.training.cuda_graphs import CapturedSteps
from protocol import RESULTS, markdown, save
from top_n import load

CUDA = torch.device("cuda")
K = 100


def ready(run: Callable[[], object]) -> Callable[[], object]:
    """Return `run`, with a wait for the device at its end."""

    def waited() -> None:
        run()
        torch.cuda.synchronize()

    return waited


def dense_epoch(X: CSR, batch_size: int, best: bool) -> Callable[[], object]:
    """Return an epoch of the dense loop: as libraries have it, or as the `best` that it can be."""
    network = DenseVAE(X.shape[1]).to(CUDA)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=best)
    rows = SparseRows(X, CUDA)

    def dense(chosen: torch.Tensor) -> torch.Tensor:
        if not best:
            return torch.from_numpy(take_rows(X, chosen.numpy()).toarray()).to(CUDA)
        batch = rows.batch(chosen)
        x = torch.zeros(len(chosen), X.shape[1], device=CUDA)
        return x.index_put_((batch.pattern.rows, batch.pattern.columns), batch.values)

    def run() -> None:
        for chosen in torch.randperm(X.shape[0]).split(batch_size):
            x = dense(chosen)
            optimizer.zero_grad()
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=best):
                cost = network(x, 0.2)
            cost.backward()
            optimizer.step()

    return ready(run)


def our_epoch(X: CSR, batch_size: int, precision: str, triton: bool = True) -> Callable[[], object]:
    """Return an epoch of ours, with or without the kernels of Triton for its softmax."""
    model = MultVAE(hidden=(HIDDEN, CODE), batch_size=batch_size, precision=precision, device="cuda", progress=False)
    rows = SparseRows(X, CUDA)
    model._begin(rows)  # the trainer without what fit does around it
    steps, by_rows = CapturedSteps(), losses._row_softmax if triton else lambda device: None

    def run() -> None:
        with mock.patch.object(losses, "_row_softmax", by_rows):
            model._trainer.run_epoch(rows, steps)

    return ready(run)


def operations(X: CSR) -> float:
    """Floating-point operations of an epoch that cannot be done without: products forward, and twice backward."""
    dense = HIDDEN * 2 * CODE + CODE * HIDDEN + HIDDEN * X.shape[1]
    return 3 * 2 * (X.shape[0] * dense + X.nnz * HIDDEN * 2 / 3)


def product_rate(size: int = 8192) -> float:
    """Operations a second of a large square product of bfloat16 matrices: the median of ten."""
    left, right = (torch.randn(size, size, device=CUDA, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(13):
        torch.cuda.synchronize()
        began = time.perf_counter()
        torch.mm(left, right)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / float(np.median(seconds[3:]))


def ranking(X: CSR, n_users: int) -> dict[str, Callable[[], object]]:
    """Return what ranks `n_users` users: the model, its products and selection alone, and a plain loop."""
    model = MultVAE(hidden=(HIDDEN, CODE), epochs=1, batch_size=4000, device="cuda", progress=False).fit(X)
    asked, network = take_rows(X, np.arange(n_users)), model.network_
    codes = torch.as_tensor(model.transform(asked), device=CUDA)

    @torch.inference_mode()
    def products() -> None:
        for some in codes.split(3000):
            torch.topk(network.decode(some), K)

    @torch.inference_mode()
    def plain() -> None:
        for start in range(0, n_users, 500):
            x = torch.from_numpy(take_rows(asked, np.arange(start, min(start + 500, n_users))).toarray()).to(CUDA)
            hidden = torch.tanh(torch.nn.functional.normalize(x) @ network.encoder_weights[0])
            code = (hidden @ network.encoder_weights[1])[:, :CODE]
            scores = network.decode(code).masked_fill_(x > 0, -torch.inf)
            torch.topk(scores, K).indices.cpu().numpy()

    return {
        "aerec": lambda: model.rank(asked, K),
        "products and topk alone": ready(products),
        "dense loop": ready(plain),
    }


def quality(epochs: int, seeds: int = 3) -> dict[str, list[float]]:
    """ndcg@20 on the test part of ml-1m-implicit after training on either device, of each seed."""
    found: dict[str, list[float]] = {}
    split = load()
    for device, precision in (("cuda", "bf16"), ("cuda", "float32"), ("cpu", "bf16")):
        values = found.setdefault(f"{device}, {precision}", [])
        for seed in range(seeds):
            model = MultVAE(epochs=epochs, device=device, precision=precision, seed=seed, progress=False)
            model.fit(split.train)
            values.append(evaluate(model, split.test, "ndcg@20", n_resamples=1)["ndcg@20"])
    return found


def profile(run: Callable[[], object]) -> str:
    """Where the time of one epoch goes, as text."""
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profiler:
        run()
    tables = [
        profiler.key_averages().table(sort_by=by, row_limit=22, max_name_column_width=45)
        for by in ("self_cuda_time_total", "self_cpu_time_total")
    ]
    return "\n".join(line.rstrip() for table in tables for line in table.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="+", default=[500, 4000])
    parser.add_argument("--users", type=int, default=40_000, help="who are ranked")
    parser.add_argument("--epochs", type=int, default=30, help="of the comparison of quality")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    torch.manual_seed(0)
    X = generated(*ML_20M)
    rate, steps = product_rate(), operations(X)
    rows, content = [], {"gpu": torch.cuda.get_device_name(), "bf16_rate": rate, "shape": X.shape, "n_ratings": X.nnz}
    given.out.mkdir(parents=True, exist_ok=True)
    for batch_size in given.batches:
        rivals = {
            "dense loop, as libraries have it": dense_epoch(X, batch_size, best=False),
            "dense loop, the best of it": dense_epoch(X, batch_size, best=True),
            "aerec float32": our_epoch(X, batch_size, "float32"),
            "aerec bf16": our_epoch(X, batch_size, "bf16"),
            "aerec bf16, softmax by PyTorch": our_epoch(X, batch_size, "bf16", triton=False),
        }
        torch.cuda.reset_peak_memory_stats()
        found = interleaved(rivals, given.rounds)
        content[f"epoch, batch {batch_size}"] = found
        for name, seconds in found.items():
            share = f"{steps / seconds / rate:.1%}"
            rows.append([f"epoch, batch {batch_size}", name, f"{seconds:.3f}", f"{X.shape[0] / seconds:,.0f}", share])
        text = profile(rivals["aerec bf16"])
        (given.out / f"accelerator-profile-{batch_size}.txt").write_text(text + "\n", encoding="utf-8")
    found = interleaved(ranking(X, given.users), given.rounds)
    content[f"top {K}"] = {"users": given.users, "seconds": found}
    for name, seconds in found.items():
        rows.append([f"top {K}", name, f"{seconds:.3f}", f"{given.users / seconds:,.0f}", ""])
    if ml_1m_implicit()[1] == "ml-1m-implicit":
        content["ndcg@20"] = measured = quality(given.epochs)
        for name, values in measured.items():
            shown = f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
            rows.append([f"ndcg@20, {given.epochs} epochs of ml-1m-implicit, {len(values)} seeds", name, shown, "", ""])
    title = f"Mult-VAE ({HIDDEN}, {CODE}) on {torch.cuda.get_device_name()}; bf16 products {rate / 1e12:.0f} TFLOP/s"
    header = ["what", "by", "seconds (ndcg@20)", "users/s", "share of the product rate"]
    save("accelerator", title, markdown(header, rows), content, given.out)


if __name__ == "__main__":
    main()
