"""Training on two ranks: like one process, reproducible, and from the checkpoint after a rank was killed.

The ranks are processes of torchrun on this machine, started once for all tests; the second is killed and starts again.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.models import ELSA, Autoencoder, RecVAE
from aerec.network.rows import DenseRows
from aerec.splitting import StrongGeneralization
from aerec.training.distributed import Ranks, current_ranks, joined

WORKER = """
import hashlib, json, os, pathlib, signal, sys
from test_distributed import elsa, exact, recvae, sampled, sharded, split_sample
from aerec.errors import AerecError
from aerec.registry import load_model
from aerec.training import distributed
from aerec.training.distributed import joined

out, restart = pathlib.Path(sys.argv[1]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])

def digest(model):
    state = model.network_.state_dict()
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()

with joined("cpu") as ranks:
    split = split_sample()
    if restart == 0:
        reduce = distributed.Ranks.average_gradients
        def step(self, *arguments):
            step.number = getattr(step, "number", 0) + 1
            if self.rank == 1 and step.number == 12:  # in the second epoch
                os.kill(os.getpid(), signal.SIGKILL)
            reduce(self, *arguments)
        distributed.Ranks.average_gradients = step
    found = {"restart": restart}
    for name, kept in (("restarted", {"checkpoint": out / "checkpoint"}), ("plain", {})):
        model = elsa().fit(split.train, split.validation, **kept)
        found[name] = {"digest": digest(model), "ndcg": model.history_["ndcg@100"].tolist()}
        found[name]["cost"] = model.history_["cost"].tolist()
    found["exact"] = [layer.tolist() for layer in exact().fit(split.train).coefs_]
    found["recvae"] = digest(recvae().fit(split.train))
    model = sharded().fit(split.train, split.validation)
    found["sharded"] = [layer.tolist() for layer in model.coefs_]
    found["sharded ndcg"] = model.history_["ndcg@100"].tolist()
    model = sharded().fit(split.train, validation=split.validation.history.matrix)
    model.save(out / f"sharded-{ranks.rank}")
    loaded = load_model(out / f"sharded-{ranks.rank}")
    found["saved"] = [fitted.score_items(split.test.history)[:5].tolist() for fitted in (model, loaded)]
    found["costs"] = model.history_["validation_cost"].tolist() + [loaded.total_cost(split.validation.history)]
    found["refused"] = {}
    steep = sharded().set_params(learning_rate=3e38)
    for name, bad in (("diverged", steep), ("negatives", sampled())):
        try:
            bad.fit(split.train)
        except AerecError as error:
            found["refused"][name] = str(error)
    (out / f"{ranks.rank}.json").write_text(json.dumps(found))
"""


def split_sample():
    return StrongGeneralization(100, seed=1).split(load_dataset("sample").binarize())


def elsa():
    return ELSA(n_factors=8, batch_size=100, epochs=6, patience=2, learning_rate=0.3, device="cpu", progress=False)


def sharded():
    # only the order of sums is to differ
    return elsa().set_params(sharded=True, epochs=3, precision="float32", noise=None)


def sampled():
    return Autoencoder(hidden=4, negatives=10, epochs=1, device="cpu", progress=False)


def recvae():
    return RecVAE(hidden=(8, 4), batch_size=200, epochs=1, device="cpu", progress=False)


def exact():
    """No noise, all rows in one batch: nothing is left to chance but the initial weights, which the seed gives."""
    return Autoencoder(
        hidden=6,
        noise=None,
        batch_size=10**6,
        epochs=3,
        weight_decay=0.1,
        precision="float32",
        device="cpu",
        progress=False,
    )


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """What each rank wrote: of trainings that nothing happened to, and of one in which the second was killed."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "worker.py").write_text(WORKER)
    paths = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "--max-restarts", "1", str(folder / "worker.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_with_the_whole_data_as_one_batch_two_ranks_step_as_one_process_does(launched):
    alone = exact().fit(split_sample().train).coefs_
    for one, other in zip(launched[0]["exact"], alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_items_divided_over_two_ranks_learn_what_they_learn_undivided(launched):
    split = split_sample()
    alone = sharded().fit(split.train, split.validation)  # there is nobody to share with
    assert launched[0]["sharded"] == launched[1]["sharded"]
    np.testing.assert_allclose(launched[0]["sharded"][0], alone.item_vectors_, atol=2e-3)
    np.testing.assert_allclose(launched[1]["sharded ndcg"], alone.history_["ndcg@100"], atol=2e-3)


def test_a_model_whose_items_were_divided_is_whole_again(launched):
    split = split_sample()
    alone = sharded().fit(split.train, validation=split.validation.history.matrix)
    expected = alone.score_items(split.test.history)[:5]
    for rank in range(2):
        fitted, loaded = launched[rank]["saved"]
        assert fitted == loaded
        np.testing.assert_allclose(fitted, expected, atol=5e-3)
        costs = launched[rank]["costs"]
        np.testing.assert_allclose(costs[:-1], alone.history_["validation_cost"], rtol=1e-3)
        assert costs[-1] == pytest.approx(min(costs[:-1]), rel=1e-5)


def test_what_cannot_be_trained_together_says_so_on_every_rank(launched):
    for rank in range(2):
        refused = launched[rank]["refused"]
        assert "the cost became" in refused["diverged"]
        assert "negatives= is for one process" in refused["negatives"]


def test_both_ranks_hold_the_same_network(launched):
    first, second = launched
    assert first["plain"] == second["plain"]
    assert first["recvae"] == second["recvae"]


def test_two_ranks_reach_the_quality_of_one_process(launched):
    split = split_sample()
    alone = max(elsa().fit(split.train, split.validation).history_["ndcg@100"])
    assert max(launched[0]["plain"]["ndcg"]) == pytest.approx(alone, abs=0.04)  # six seeds alone differ by up to 0.024
    assert alone > 0.3


def test_after_a_rank_was_killed_the_training_ends_as_if_nothing_had_happened(launched):
    for rank in range(2):
        assert launched[rank]["restart"] == 1
        assert launched[rank]["restarted"] == launched[0]["plain"]


# ---------------------------------------------------------------------- shares


@pytest.mark.parametrize(("n_rows", "size"), [(10, 3), (7, 7), (100, 8), (5, 1)])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_every_row_is_of_one_rank_and_every_rank_takes_as_many_steps(n_rows, size, batch_size):
    values = np.arange(n_rows, dtype=np.float32)[:, None]
    rows, seen, steps = DenseRows(values, torch.device("cpu")), [], set()
    for rank in range(size):
        own = Ranks(rank, size).part(rows)
        pieces = Ranks(rank, size).pieces(torch.arange(own.shape[0]), n_rows, batch_size)
        assert all(len(piece) > 0 for piece in pieces)
        steps.add(len(pieces))
        for piece in pieces:
            batch = own.batch(piece)
            assert batch.row_numbers.tolist() == batch.values[:, 0].tolist()
            seen += batch.row_numbers.tolist()
    assert sorted(seen) == list(range(n_rows))
    assert len(steps) == 1


def test_fewer_rows_than_ranks_are_refused():
    rows = DenseRows(np.ones((3, 2), dtype=np.float32), torch.device("cpu"))
    with pytest.raises(DataError, match="3 rows cannot be trained on by 4 processes"):
        Ranks(0, 4).part(rows)


def test_a_process_alone_joins_nobody(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as ranks:
        assert ranks is None
    assert current_ranks() is None


def test_importing_aerec_does_not_import_the_distributed_part():
    code = "import sys, aerec, aerec.models; sys.exit('aerec.training.distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
