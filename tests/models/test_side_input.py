"""Features of items in the first layer of an autoencoder: weights W + F·U, against dense formulas and autograd."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone

from aerec import Interactions, load_model
from aerec.errors import DataError
from aerec.likelihood import LIKELIHOODS
from aerec.models import Autoencoder, Blend, DenoisingAutoencoder, MultDAE, MultVAE, SparseCode
from aerec.network.batches import DenseBatch, SparseBatch
from aerec.network.device import with_gradients
from aerec.network.network import Architecture, Network
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.recommender.new_items import ridge_shares
from aerec.splitting import StrongGeneralization

QUICK = {"epochs": 3, "batch_size": 16, "progress": False, "precision": "float32", "device": "cpu"}
N_ITEMS, N_FEATURES = 12, 5
MODELS = [
    MultDAE(hidden=6, feature_weight=0.7, **QUICK),
    MultVAE(hidden=(8, 4), feature_weight=0.7, **QUICK),
    DenoisingAutoencoder(hidden=6, feature_weight=0.7, likelihood="bernoulli", noise=GaussianNoise(0.2), **QUICK),
    MultDAE(hidden=6, feature_weight=0.7, negatives=3, **QUICK),
]


def name_of(model):
    return f"{type(model).__name__} {model.negatives}"


def random_features(n_items=N_ITEMS, seed=0):
    rng = np.random.default_rng(seed)
    features = (rng.random((n_items, N_FEATURES)) < 0.4) * rng.normal(1.0, 0.3, (n_items, N_FEATURES))
    features[0] = 0  # an item without any
    return sp.csr_array(features.astype(np.float32))


def likes(n_users=50, n_items=N_ITEMS, seed=0):
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < np.where(
        np.arange(n_items) % 2 == np.arange(n_users)[:, None] % 2, 0.6, 0.1
    )
    rated[:, 1] |= ~rated.any(axis=1)
    data = Interactions.from_matrix(rated.astype(np.float32), items=[f"item {at}" for at in range(n_items)])
    return data.with_item_features(random_features(n_items), [f"tag {at}" for at in range(N_FEATURES)])


def unit(features, length=1.0):
    dense = features.toarray().astype(np.float64)
    return length * dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)


def network_of(features, **choices):
    sizes = {"n_inputs": N_ITEMS, "hidden": (7,), "activation": "tanh", "n_features": N_FEATURES}
    likelihood = LIKELIHOODS[choices.pop("likelihood", "multinomial")]
    network = Network(Architecture(**sizes, likelihood=likelihood, **choices), torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.feature_weights.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    network.describe(features)
    return network


def dense_cost(network, features, x):
    """The multinomial cost of dense rows by the formula."""
    W, U, V = network.encoder_weights[0], network.feature_weights, network.decoder_weights[0]
    rows = torch.nn.functional.normalize(x, dim=1) if network.architecture.normalize else x
    code = torch.tanh(rows @ (W + torch.tensor(features.toarray()) @ U) + network.encoder_biases[0])
    logits = code @ V.T + network.decoder_biases[0]
    return -(x * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", ["sparse", "dense", "sampled"])
def test_cost_and_gradients_are_those_of_the_dense_formula(kind, normalize):
    features, matrix = random_features(), likes().matrix
    network = network_of(features, normalize=normalize, negatives=N_ITEMS if kind == "sampled" else None)
    batch = SparseBatch.of(matrix, torch.device("cpu"))
    if kind == "dense":
        batch = DenseBatch(torch.tensor(matrix.toarray()), batch.row_numbers)
    parameters = dict(network.named_parameters())
    with with_gradients():
        cost = network.cost(batch, noise_from=torch.Generator())[0].total(1.0)
        gradients = torch.autograd.grad(cost, [*parameters.values()])
        expected = dense_cost(network, features, torch.tensor(matrix.toarray()))
        wanted = torch.autograd.grad(expected, [*parameters.values()])
    assert cost.item() == pytest.approx(expected.item(), rel=1e-5)
    for name, gradient, reference in zip(parameters, gradients, wanted, strict=True):
        dense = gradient.to_dense() if gradient.is_sparse else gradient
        np.testing.assert_allclose(dense, reference, atol=1e-6, err_msg=name)
        assert reference.abs().max() > 1e-4


def test_a_masked_item_takes_its_features_with_it():
    features, matrix = random_features(), likes().matrix
    network = network_of(features, noise=MaskingNoise(0.5))
    batch = SparseBatch.of(matrix, torch.device("cpu"))
    kept = batch.corrupted(network.architecture.noise, torch.Generator().manual_seed(3))
    dense = torch.zeros(matrix.shape)
    dense[kept.pattern.rows, kept.pattern.columns] = kept.values
    assert 0.2 < float((dense != 0).sum()) / matrix.nnz < 0.8
    hidden = network.first_hidden(batch, noise_from=torch.Generator().manual_seed(3))
    expected = dense @ (network.encoder_weights[0] + torch.tensor(features.toarray()) @ network.feature_weights)
    np.testing.assert_allclose(hidden.detach(), expected.detach(), atol=1e-6)


def test_noise_on_every_entry_goes_through_features_too():
    features, matrix = random_features(), likes().matrix
    network = network_of(features, noise=GaussianNoise(0.5, entries="all"))
    noise, weight = network.architecture.noise, network.input_weight()
    batch = SparseBatch.of(matrix, torch.device("cpu"))
    hidden = network.first_hidden(batch, noise_from=torch.Generator().manual_seed(3))
    drawn = noise.preactivation_noise(weight, batch.n_rows, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(hidden.detach(), (torch.tensor(matrix.toarray()) @ weight + drawn).detach(), atol=1e-6)


def test_a_step_is_that_of_adam_on_the_dense_formula():
    data = likes()
    model = MultDAE(hidden=7, noise=None, normalize=False, feature_weight=0.7, ema_decay=0.0)
    model.set_params(**{**QUICK, "batch_size": 50, "epochs": 1, "weight_decay": 0.01})
    start = clone(model).set_params(learning_rate=1e-30).fit(data).network_
    model.fit(data)
    features = sp.csr_array(unit(data.item_features, 0.7).astype(np.float32))
    with with_gradients():
        decayed = [weight for weight in start.weights() if weight.ndim == 2]
        decay = 0.005 * sum(weight.square().sum() for weight in decayed)
        optimizer = torch.optim.Adam(start.parameters(), lr=model.learning_rate)
        optimizer.zero_grad()
        (dense_cost(start, features, torch.tensor(data.matrix.toarray())) + decay).backward()
        optimizer.step()
    learned = model.network_.state_dict()
    assert learned["feature_weights"].abs().max() > 0.5 * model.learning_rate
    for name, values in start.state_dict().items():
        np.testing.assert_allclose(learned[name], values, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_scores_are_those_of_the_public_weights_and_survive_saving(model, tmp_path):
    data = likes()
    model = clone(model).fit(data)
    network = model.network_
    W, U = (tensor.detach().numpy() for tensor in (network.encoder_weights[0], network.feature_weights))
    assert np.abs(U).max() > 0
    np.testing.assert_allclose(model.coefs_[0], W + unit(data.item_features, 0.7) @ U, atol=1e-6)
    rows = data.matrix.toarray() / np.linalg.norm(data.matrix.toarray(), axis=1, keepdims=True)
    first = network.first_hidden(SparseBatch.of(data.matrix, torch.device("cpu"))).detach()
    np.testing.assert_allclose(first, rows @ model.coefs_[0] + model.intercepts_[0], atol=1e-5)
    scores = model.score_items(data)
    np.testing.assert_array_equal(model.score_items(data.with_item_features(None)), scores)
    model.save(tmp_path)
    for copied in (load_model(tmp_path), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copied.score_items(data), scores)
        np.testing.assert_array_equal(copied.partial_fit(data).n_iter_, 4)
        assert not np.array_equal(copied.network_.feature_weights.detach(), U)


@pytest.mark.parametrize("model", MODELS[:2], ids=name_of)
def test_contributions_are_those_of_leaving_items_out(model):
    data = likes()
    model = clone(model).fit(data)
    row = data.matrix[[3]]
    target = int(np.flatnonzero(row.toarray()[0] == 0)[0])
    explained = model.explain(row, target).set_index("item")["contribution"]
    whole = model.score_items(row)[0, target]
    for item in row.indices:
        without = row.toarray()
        without[0, item] = 0
        assert explained[item] == pytest.approx(whole - model.score_items(sp.csr_array(without))[0, target], abs=1e-4)


def test_the_exported_graph_needs_no_features():
    data = likes()
    model = clone(MODELS[0]).fit(data)
    graph = model.scorer_.graph()
    assert not any("feature" in name for name, _ in graph.named_parameters())
    np.testing.assert_allclose(graph(torch.tensor(data.matrix.toarray())), model.score_items(data), atol=1e-5)
    assert model.network_.feature_weights is not None


def test_dense_rows_are_read_with_features_too():
    data = likes()
    model = clone(MODELS[0]).fit(data)
    np.testing.assert_allclose(model.transform(data.matrix.toarray()), model.transform(data), atol=1e-6)


def test_new_items_are_read_by_their_features(tmp_path):
    data = likes()
    model = clone(MODELS[1]).fit(data)
    known, before = model.score_items(data), model.coefs_[0]
    W, U = (tensor.detach().numpy() for tensor in (model.network_.encoder_weights[0], model.network_.feature_weights))
    new = pd.DataFrame({"item": ["new"], "tag 4": [2.0], "tag 1": [1.0], "never seen": [3.0]})
    wider = data.with_items(data.items.append(pd.Index(["new"])))
    described = pd.DataFrame(wider.item_features.toarray(), columns=wider.feature_names).assign(item=wider.items)
    frame = pd.concat([described.iloc[:-1], new]).fillna(0)
    wider = wider.with_item_features(None).with_item_features(frame, standardize=False)
    model.add_items(wider)
    features = wider.item_features
    described_rows = np.flatnonzero(np.diff(features.indptr)[:-1])
    shares = ridge_shares(features[described_rows], features[[N_ITEMS]], 3.0)
    F_new = 0.7 * np.array([0, 1, 0, 0, 2]) / np.sqrt(5)
    np.testing.assert_allclose(model.coefs_[0][-1], (shares @ W[described_rows])[0] + F_new @ U, atol=1e-6)
    np.testing.assert_array_equal(model.coefs_[0][:-1], before)
    np.testing.assert_array_equal(model.score_items(data)[:, :-1], known)
    model.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).score_items(wider), model.score_items(wider))


def test_a_warm_start_matches_features_by_name():
    data = likes()
    model = clone(MODELS[0]).fit(data)
    before = model.network_.feature_weights.detach().clone()
    other = data.with_item_features(None).with_item_features(data.item_features, ["tag 3", "x", "y", "tag 0", "z"])
    model.set_params(learning_rate=1e-12, epochs=1).fit(other, warm_start=True)
    expected = np.zeros_like(before)
    expected[0], expected[3] = before[3], before[0]
    np.testing.assert_allclose(model.network_.feature_weights.detach(), expected, atol=1e-6)
    with pytest.raises(ValueError, match="other parameters"):
        model.set_params(feature_weight=0.0).fit(data, warm_start=True)


def test_an_interrupted_training_ends_where_it_would_have(tmp_path):
    split = StrongGeneralization(n_users=8, seed=0).split(likes())
    model = clone(MODELS[1])
    whole = clone(model).fit(split.train, validation=split.validation)
    clone(model).set_params(epochs=2).fit(split.train, validation=split.validation, checkpoint=tmp_path)
    resumed = clone(model).fit(split.train, validation=split.validation, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.score_items(split.train), whole.score_items(split.train))
    other = split.train.with_item_features(random_features(seed=1), split.train.feature_names)
    with pytest.raises(ValueError, match="checkpoint"):
        clone(model).fit(other, validation=split.validation, checkpoint=tmp_path)


def test_items_with_the_same_features_learn_from_each_other():
    """Item 10 has one rating; its features say that it is of the taste of the even ones."""
    data = likes(200, 20)
    rated = data.matrix.toarray()
    rated[1:, 10] = 0
    rated[0, 10] = 1
    few = Interactions.from_matrix(rated, items=data.items)
    few = few.with_item_features(sp.csr_array(np.eye(2)[np.arange(20) % 2]), ["even", "odd"])
    history = sp.csr_array(np.eye(20, dtype=np.float32)[[10]])
    gaps = {}
    for weight in (0.0, 1.0):
        model = MultDAE(hidden=8, feature_weight=weight, **{**QUICK, "epochs": 15}).fit(few)
        scores = model.score_items(history)[0]
        others = np.delete(np.arange(20), 10)
        gaps[weight] = scores[others[others % 2 == 0]].mean() - scores[others[others % 2 == 1]].mean()
    assert gaps[1.0] > gaps[0.0] + 0.1


def test_models_of_models_pass_features_on():
    data = likes()
    for model in (Blend([clone(MODELS[0]), clone(MODELS[1])]), SparseCode(clone(MODELS[0]), n_units=8, n_active=2)):
        model.set_params(**({"epochs": 2, "progress": False} if isinstance(model, SparseCode) else {}))
        assert np.isfinite(model.fit(data).score_items(data)).all()


def test_what_cannot_be_is_refused(tmp_path):
    data = likes()
    with pytest.raises(DataError, match="no features of items"):
        clone(MODELS[0]).fit(data.with_item_features(None))
    with pytest.raises(DataError, match="no features of items"):
        clone(MODELS[0]).fit(data.matrix)
    with pytest.raises(ValueError, match="tied=False"):
        Autoencoder(tied=True, feature_weight=1.0, **QUICK).fit(data)
    with pytest.raises(ValueError, match="feature_weight"):
        MultDAE(feature_weight=-1.0, **QUICK).fit(data)
    model = clone(MODELS[0]).fit(data)
    header, arrays = model._state()
    shorter = {**header, "feature_names": header["feature_names"][:-1]}
    with pytest.raises(ValueError, match="its features have the shape"):
        clone(MODELS[0])._set_state(shorter, arrays)
