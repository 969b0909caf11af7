import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from aerec import evaluate, load_model
from aerec.baselines import Popularity
from aerec.datasets import load_dataset
from aerec.models import RecVAE
from aerec.models.rec_vae import automatic_kl_weight, automatic_noise
from aerec.noise import MaskingNoise
from aerec.splitting import StrongGeneralization


def likes():
    rng = np.random.default_rng(0)
    return (rng.random((40, 15)) < 0.3).astype(np.float32)


def quick(**given):
    return RecVAE(
        **{"hidden": (6, 3), "epochs": 2, "batch_size": 16, "progress": False, "precision": "float32", **given}
    )


def float64(parameters):
    return [one.detach().double().numpy() for one in parameters]


def encoded(x, encoder):
    """The densely connected encoder of the paper, written out in float64: mean and log variance."""
    weights, biases = float64(encoder.weights), float64(encoder.biases)
    gains, shifts = float64(encoder.gains), float64(encoder.shifts)

    def settled(value, k):
        value = value / (1 + np.exp(-value))  # swish
        mean, variance = value.mean(axis=1, keepdims=True), value.var(axis=1, keepdims=True)
        return (value - mean) / np.sqrt(variance + 0.1) * gains[k] + shifts[k]

    length = np.linalg.norm(x, axis=1, keepdims=True)
    layers = [settled(x / np.where(length > 0, length, 1) @ weights[0] + biases[0], 0)]
    for k in range(1, 5):
        layers.append(settled(layers[-1] @ weights[k] + biases[k] + sum(layers), k))
    both = layers[-1] @ weights[5] + biases[5]
    return both[:, :3], both[:, 3:]


def log_normal(z, mean, log_variance):
    return -0.5 * (np.log(2 * np.pi) + log_variance + (z - mean) ** 2 / np.exp(log_variance))


def test_total_cost_is_the_formula_of_the_paper_at_the_mean_of_the_code():
    X = likes()
    model = quick(kl_weight=0.02, device="cpu").fit(X)
    x = X.astype(np.float64)
    network = model.network_
    mean, log_variance = encoded(x, network.encoder())
    former = encoded(x, network.former())
    prior = logsumexp(
        [
            np.log(3 / 20) + log_normal(mean, 0, 0),
            np.log(3 / 4) + log_normal(mean, *former),
            np.log(1 / 10) + log_normal(mean, 0, 10),
        ],
        axis=0,
    )
    divergence = (log_normal(mean, mean, log_variance) - prior).sum(axis=1)
    weight, bias = float64([network.decoder_weights[0], network.decoder_biases[0]])
    logits = mean @ weight.T + bias
    likelihood = -(x * (logits - logsumexp(logits, axis=1, keepdims=True))).sum(axis=1)
    expected = (likelihood + 0.02 * x.sum(axis=1) * divergence).mean()
    assert model.total_cost(X) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(model.transform(X), mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.score_items(X), logits, rtol=1e-3, atol=1e-5)


def test_after_an_epoch_the_prior_knows_the_encoder_as_it_is():
    network = quick(epochs=3, ema_decay=0.0).fit(likes()).network_
    for kept, one in zip(network.former().parameters(), network.encoder().parameters(), strict=True):
        torch.testing.assert_close(kept, one)
    assert not any(one.requires_grad for one in network.former().parameters())


def test_encoder_and_decoder_are_trained_in_turn(monkeypatch):
    model = quick(epochs=1)
    seen = []

    def watched(trainer, rows, steps, kind):
        is_decoder = kind.optimizer is trainer.optimizers[0]
        seen.append((is_decoder, kind.corrupt))
        network = trainer.network
        before = [one.detach().clone() for one in (*network.encoder().parameters(), *network.decoder_weights)]
        parts = original(trainer, rows, steps, kind)
        after = [*network.encoder().parameters(), *network.decoder_weights]
        moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
        assert moved[-1] is is_decoder
        assert any(moved[:-1]) is not is_decoder
        return parts

    from aerec.models import rec_vae

    original = rec_vae.Trainer.run_epoch
    monkeypatch.setattr(rec_vae.Trainer, "run_epoch", watched)
    model.set_params(encoder_passes=2).fit(likes())
    assert seen == [(False, True), (False, True), (True, False)]


def test_a_single_width_is_the_code_with_layers_three_times_as_wide():
    model = quick(hidden=4).fit(likes())
    assert [weight.shape[1] for weight in model.coefs_[:6]] == [12, 12, 12, 12, 12, 8]
    assert model.transform(likes()).shape == (40, 4)


@pytest.mark.parametrize("hidden", [(6, 3, 2), (6, 0), (), "wide", (6.5, 3)])
def test_other_widths_are_refused(hidden):
    with pytest.raises(ValueError, match="hidden"):
        quick(hidden=hidden).fit(likes())


def test_it_clearly_beats_popularity_on_the_sample():
    split = StrongGeneralization(n_users=100, seed=1).split(load_dataset("sample").binarize())
    quick = {"epochs": 8, "learning_rate": 4e-3, "batch_size": 100, "progress": False}
    model = RecVAE(hidden=(100, 40), noise=MaskingNoise(0.5), **quick)
    found = evaluate(model.fit(split.train, split.validation), split.test, "ndcg@100")["ndcg@100"]
    assert found > 1.5 * evaluate(Popularity().fit(split.train), split.test, "ndcg@100")["ndcg@100"]


def test_partial_fit_goes_on_after_a_saved_model_is_loaded(tmp_path):
    from aerec import load_model

    X = likes()
    quick().fit(X).save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    cost = loaded.total_cost(X)
    for _ in range(10):
        loaded.partial_fit(X)
    assert loaded.total_cost(X) < cost


def test_codes_kept_for_an_epoch_change_nothing(monkeypatch):
    kept = quick(epochs=3).fit(likes())
    monkeypatch.setattr("aerec.models.rec_vae._CODE_BYTES", 0)
    anew = quick(epochs=3).fit(likes())
    assert kept.network_.former_codes is None
    np.testing.assert_allclose(kept.history_["cost"], anew.history_["cost"], rtol=1e-5)
    for one, other in zip(kept.coefs_, anew.coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_fewer_ratings_the_more_of_them_are_masked(tmp_path):
    assert [automatic_noise(n).p for n in (100, 15_000, 30_000, 60_000, 10**7)] == [0.8, 0.8, 0.65, 0.5, 0.5]
    model = quick().fit(likes())
    assert model.noise == "auto"
    assert model.noise_ == model.network_.architecture.noise == MaskingNoise(0.8)
    assert quick(noise=None).fit(likes()).noise_ is None
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert (loaded.noise, loaded.noise_) == ("auto", MaskingNoise(0.8))
    loaded.partial_fit(likes())
    assert loaded.network_.architecture.noise == MaskingNoise(0.8)


def test_the_fewer_ratings_the_more_the_prior_counts(tmp_path):
    numbers = (100, 60_000, 189_737, 600_000, 10**8)
    assert [automatic_kl_weight(n) for n in numbers] == [0.015, 0.015, 0.0087, 0.005, 0.005]
    model = quick().fit(likes())
    assert (model.kl_weight, model.kl_weight_) == ("auto", 0.015)
    last = model.history_.iloc[-1]
    assert last["cost"] == pytest.approx(last["likelihood"] + 0.015 * last["kl"])
    assert model.total_cost(likes()) == pytest.approx(model.set_params(kl_weight=0.015).total_cost(likes()))
    assert model.partial_fit(likes()).kl_weight_ == 0.015
    assert model.set_params(kl_weight=0.5).partial_fit(likes()).kl_weight_ == 0.5
    model.set_params(kl_weight="auto").save(tmp_path)
    assert load_model(tmp_path).total_cost(likes()) == pytest.approx(model.total_cost(likes()))


@pytest.mark.parametrize(("n_rows", "epochs"), [(6000, 20), (960, 20), (600, 32), (40, 80)])
@pytest.mark.parametrize("n_items", [200, 40_000])
def test_automatic_epochs_have_30_steps_and_do_not_follow_the_items(n_rows, n_items, epochs):
    assert RecVAE(kl_weight=0.01)._epochs_without_validation(n_rows, np.full(n_items, 5)) == epochs


@pytest.mark.parametrize("gamma", [float("nan"), -3.0, None, [1.0], "auto"])
def test_a_file_with_a_weight_that_is_none_is_refused(gamma):
    model = RecVAE((4, 2), epochs=1, progress=False).fit(np.eye(6, dtype=np.float32))
    header, arrays = model._state()
    with pytest.raises(ValueError, match="weight of the KL term is"):
        RecVAE((4, 2))._set_state({**header, "kl_weight": gamma}, arrays)
