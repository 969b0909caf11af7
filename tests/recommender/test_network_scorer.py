"""Codes, and the output layer by either of the matrix products."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context

from aerec.datasets import generate_interactions
from aerec.models import ELSA, Autoencoder, MultDAE
from aerec.recommender.network_scorer import NetworkScorer, output_layer

QUICK = {"epochs": 2, "device": "cpu", "progress": False}


@pytest.mark.parametrize("n_rows", [0, 1, 127, 128, 300])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_output_layer_of_few_and_of_many_rows(n_rows, with_bias, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    rng = np.random.default_rng(0)
    hidden, weight, bias = rng.standard_normal((n_rows, 8)), rng.standard_normal((30, 8)), rng.standard_normal(30)
    given = [torch.tensor(one, dtype=torch.float32) for one in (hidden, weight, bias)]
    given[1].requires_grad_()
    found = output_layer(*given) if with_bias else output_layer(*given[:2])
    assert found.dtype == torch.float32
    found = found.detach().numpy()
    np.testing.assert_allclose(found, hidden @ weight.T + (bias if with_bias else 0), atol=1e-5)


@pytest.mark.parametrize("model", [MultDAE(hidden=8, **QUICK), ELSA(4, **QUICK)])
def test_a_user_scores_the_same_alone_and_among_many(model):
    X = (np.random.default_rng(1).random((200, 25)) < 0.2).astype(np.float32)
    model.fit(X)
    together = model.score_items(X)
    np.testing.assert_allclose(model.score_items(X[:3]), together[:3], atol=1e-5)
    logits = model.network_.decode(torch.as_tensor(model.transform(X))).detach().numpy()
    own = 0
    if isinstance(model, ELSA):
        own = X * np.square(model.item_vectors_).sum(axis=1) / np.square(model.item_scale_)
    np.testing.assert_allclose(together, logits - own, atol=1e-5)


@pytest.mark.parametrize("model", [MultDAE(hidden=8, **QUICK), ELSA(4, **QUICK)])
def test_ranking_where_the_scores_are_gives_the_same(model, monkeypatch):
    rng = np.random.default_rng(2)
    X, more = ((rng.random((60, 25)) < share).astype(np.float32) for share in (0.2, 0.1))
    X[7] = 0
    model.fit(X)
    asked = [{}, {"exclude_seen": False}, {"exclude": more}, {"allow_items": [3, 4, 5, 9], "block_items": [4]}]
    expected = [model.rank(X, 6, **one) for one in asked]
    on_cpu = NetworkScorer.__init__

    def as_on_gpu(self, *given):
        on_cpu(self, *given)
        self._on_gpu = True

    monkeypatch.setattr(NetworkScorer, "__init__", as_on_gpu)
    for one, (items, scores) in zip(asked, expected, strict=True):
        found = model.rank(X, 6, **one)
        np.testing.assert_array_equal(found[0], items)
        np.testing.assert_array_equal(found[1], scores)


def test_set_output_makes_frames_of_codes_and_changes_nothing_else():
    data = generate_interactions(40, 20, 200, seed=1)
    model = Autoencoder(hidden=3, epochs=1, progress=False).fit(data)
    expected, told = model.transform(data), model.explain_code(data.select_users(data.users[:1]), data.items[0])
    assert isinstance(expected, np.ndarray)
    with config_context(transform_output="pandas"):
        frame = model.transform(data)
        pd.testing.assert_frame_equal(model.explain_code(data.select_users(data.users[:1]), data.items[0]), told)
    assert frame.columns.tolist() == ["autoencoder0", "autoencoder1", "autoencoder2"]
    np.testing.assert_array_equal(frame.to_numpy(), expected)
    assert isinstance(model.set_output(transform="pandas").transform(data), pd.DataFrame)


def test_a_code_may_be_a_frame():
    X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    model = Autoencoder(hidden=3, noise=None, likelihood="gaussian", epochs=1, progress=False).fit(X)
    code = model.transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.generate(pd.DataFrame(code)), model.generate(code))


def test_a_history_that_may_not_be_written_to_is_read_without_a_warning():
    likes = generate_interactions(n_users=60, n_items=40, n_ratings=600, seed=0).binarize(3.0)
    model = MultDAE(hidden=4, epochs=1, progress=False).fit(likes)
    history = likes.select_users([likes.users[0]])
    for array in (history.matrix.data, history.matrix.indices, history.matrix.indptr):
        array.setflags(write=False)
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*not writable")
            model.explain(history, likes.items[1])
            model.recommend(history, k=3)
            model.transform(history)
    finally:
        torch.set_warn_always(False)
