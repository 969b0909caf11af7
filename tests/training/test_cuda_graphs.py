"""Steps recorded as CUDA graphs: what they need of a batch is checked anywhere, the replays where there is a GPU."""

import logging

import numpy as np
import pytest
import torch

from aerec.canonical import canonical_csr
from aerec.datasets import load_dataset
from aerec.likelihood import LIKELIHOODS
from aerec.models import ELSA, Autoencoder, MultDAE, MultVAE, RecVAE
from aerec.network.losses import all_entries_loss
from aerec.network.products import first_layer
from aerec.network.rows import SparseRows
from aerec.training.callbacks import Callback
from aerec.training.cuda_graphs import CapturedSteps
from aerec.training.trainer import EagerSteps, StepKind

CPU = torch.device("cpu")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def rows():
    x = np.random.default_rng(0).poisson(0.4, (30, 12)).astype(np.float32)
    x[[3, 29]] = 0
    return SparseRows(canonical_csr(x), CPU), x


@pytest.mark.parametrize("more", [0, 1, 50])
@pytest.mark.parametrize("chosen", [[4, 9, 2], [3, 4, 29], [29, 3], [0]])
def test_a_batch_that_is_filled_up_is_the_same_matrix(chosen, more):
    found, x = rows()
    chosen = torch.tensor(chosen)
    plain = found.batch(chosen)
    filled = found.padded(chosen, len(plain.values) + more)
    assert (
        len(filled.values) == len(filled.pattern.columns) == len(filled.pattern.rows) == int(filled.pattern.starts[-1])
    )
    assert len(filled.values) == len(plain.values) + more
    dense = torch.zeros(len(chosen), 12)
    dense.index_put_((filled.pattern.rows, filled.pattern.columns), filled.values, accumulate=True)
    np.testing.assert_array_equal(dense.numpy(), x[chosen.numpy()])
    for one in ("totals", "squares"):
        torch.testing.assert_close(getattr(filled, one)(), getattr(plain, one)())


@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_stored_zeros_change_neither_the_loss_nor_a_gradient(name):
    found, _ = rows()
    chosen = torch.tensor([4, 3, 9, 29])
    plain = found.batch(chosen)
    filled = found.padded(chosen, len(plain.values) + 17)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(12, 5, generator=generator, requires_grad=True) for _ in range(2)]
    results = []
    for batch in (plain, filled):
        hidden = torch.tanh(first_layer(batch.normalized(), weights[0]))
        loss = all_entries_loss(hidden, weights[1], torch.zeros(12), batch, LIKELIHOODS[name], half=False)
        results.append([loss, *torch.autograd.grad(loss, weights)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_few_batches_have_more_values_than_most():
    rng = np.random.default_rng(1)
    x = (rng.random((2000, 60)) < rng.lognormal(-3, 1, (2000, 1)).clip(0, 0.9)).astype(np.float32)
    found = SparseRows(canonical_csr(x), CPU)
    limit = found.values_of_most(50)
    sizes = [found.n_values(torch.from_numpy(rng.permutation(2000)[:50])) for _ in range(500)]
    assert np.mean(np.array(sizes) > limit) < 0.01
    assert limit < 2 * np.mean(sizes)
    assert found.values_of_most(2000) == np.count_nonzero(x)


def test_without_a_gpu_no_step_is_recorded():
    trainer = MultDAE(hidden=4, epochs=1, device="cpu", progress=False).fit(rows()[1])._trainer
    assert type(CapturedSteps()(trainer, rows()[0], StepKind(trainer.optimizers[0]))) is EagerSteps


QUICK = {"epochs": 6, "batch_size": 50, "progress": False, "device": "cuda", "precision": "float32"}
LEARNERS = {
    "mult-dae": lambda: MultDAE(hidden=(20, 8), noise=None, **QUICK),
    "weight decay and a schedule": lambda: MultDAE(
        hidden=8, noise=None, weight_decay=0.01, learning_rate_schedule="cosine", **QUICK
    ),
    "gaussian": lambda: Autoencoder(hidden=8, likelihood="gaussian", **QUICK),
}


def without_recording(monkeypatch):
    monkeypatch.setattr("aerec.training.cuda_graphs._can_be_recorded", lambda *given: False)


@on_gpu
@pytest.mark.parametrize("name", LEARNERS)
def test_replays_learn_what_single_steps_learn(monkeypatch, caplog, name):
    likes = load_dataset("sample").binarize(4.0)
    with caplog.at_level(logging.WARNING):
        replayed = LEARNERS[name]().fit(likes)
    assert not caplog.records
    without_recording(monkeypatch)
    stepped = LEARNERS[name]().fit(likes)
    np.testing.assert_allclose(replayed.history_["cost"], stepped.history_["cost"], rtol=1e-4)
    for one, other in zip(replayed.coefs_, stepped.coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


@on_gpu
@pytest.mark.parametrize(
    "model",
    [
        MultVAE(hidden=(20, 8), kl_annealing_steps=40, **QUICK),
        RecVAE(hidden=(20, 8), **QUICK),
        Autoencoder(hidden=8, likelihood="gaussian", **QUICK),
    ],
)
def test_replays_draw_new_noise_and_learn_as_well(monkeypatch, caplog, model):
    data = load_dataset("sample").binarize(4.0)
    data = data.matrix.toarray() if type(model) is Autoencoder else data
    with caplog.at_level(logging.WARNING):
        replayed = model.fit(data).history_["cost"].to_numpy()
    assert not caplog.records
    without_recording(monkeypatch)
    stepped = model.fit(data).history_["cost"].to_numpy()
    np.testing.assert_allclose(replayed, stepped, rtol=0.02)
    assert len(set(replayed)) == len(replayed)


class Stop(Callback):
    """Breaks a training off in its third epoch."""

    def epoch_done(self, record, model):
        if record["epoch"] == 3:
            raise KeyboardInterrupt


@on_gpu
@pytest.mark.parametrize(
    "make",
    [
        lambda **given: MultVAE(hidden=(20, 8), kl_annealing_steps=40, **QUICK, **given),
        lambda **given: RecVAE(hidden=(20, 8), **QUICK, **given),
        lambda **given: ELSA(8, **QUICK, **given),
    ],
)
def test_a_training_on_a_gpu_that_is_broken_off_goes_on_with_the_same_noise(tmp_path, make):
    likes = load_dataset("sample").binarize(4.0)
    whole = make().fit(likes)

    with pytest.raises(KeyboardInterrupt):
        make().fit(likes, checkpoint=tmp_path, callbacks=[Stop()])
    resumed = make().fit(likes, checkpoint=tmp_path)
    np.testing.assert_allclose(resumed.history_["cost"], whole.history_["cost"], rtol=1e-4)
