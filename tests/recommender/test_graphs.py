"""Scores as modules: the products of the formula, popularity where nothing was rated."""

import numpy as np
import torch

from aerec.recommender.graphs import LinearGraph, PopularityGraph, constant

X = np.float32([[1, 0, 2], [0, 0, 0]])


def test_a_linear_graph_is_the_product_of_its_factors():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    found = LinearGraph(first, second)(torch.tensor(X))
    np.testing.assert_allclose(found, X @ first @ second, atol=1e-6)
    np.testing.assert_array_equal(LinearGraph()(torch.tensor(X)), X)


def test_rows_without_ratings_get_the_popularity():
    popularity = np.float32([0.5, 0.25, 0.125])
    found = PopularityGraph(LinearGraph(2 * np.eye(3)), popularity)(torch.tensor(X)).detach()
    np.testing.assert_array_equal(found, [2 * X[0], popularity])


def test_constants_are_saved_but_do_not_learn():
    module = PopularityGraph(LinearGraph(np.eye(3)), np.ones(3))
    assert set(module.state_dict()) == {"popularity", "scores.factors.0"}
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert constant(np.array([1, 2])).dtype == torch.float32
