"""The network against float64: numpy for encoder and decoder, torch autograd on dense formulas for the cost."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, ndtr

from aerec import load_model
from aerec.canonical import canonical_csr
from aerec.datasets import load_dataset
from aerec.likelihood import LIKELIHOODS
from aerec.models import Autoencoder
from aerec.network.network import ACTIVATIONS, Architecture, Network
from aerec.network.rows import DenseRows, SparseRows
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

CPU = torch.device("cpu")
FORMULAS = {
    "identity": lambda x: x,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    # Klambauer et al. (2017)
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: x * ndtr(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "swish": lambda x: x * expit(x),
}
RNG = np.random.default_rng(3)
LIKES = (RNG.random((7, 11)) < 0.4).astype(np.float32)
LIKES[4] = 0  # a user without ratings
RATINGS = LIKES * RNG.integers(1, 6, size=LIKES.shape).astype(np.float32)
HIDDEN = [(5,), (6, 3)]
LIKELIHOODS_AND_KINDS = [*itertools.product(LIKELIHOODS, ["sparse"]), *itertools.product(LIKELIHOODS, ["dense"])]
LIKELIHOODS_AND_KINDS.remove(("observed", "dense"))  # observed entries are those of a sparse matrix


def network(hidden=(5,), likelihood="multinomial", seed=0, **choices):
    chosen = {"activation": "tanh", "n_inputs": 11, **choices}
    made = Network(
        Architecture(hidden=hidden, likelihood=LIKELIHOODS[likelihood], **chosen), torch.Generator().manual_seed(seed)
    )
    variances = [made.encoder_weights[-1][:, hidden[-1] :]] if choices.get("variational") else []
    factors = [] if made.user_factors is None else [made.user_factors]
    with torch.no_grad():  # all these begin at 0, where a mistake in them would not be seen
        for part in (*made.biases(), *factors, *variances):
            part.copy_(0.3 * torch.randn(part.shape, generator=torch.Generator().manual_seed(part.numel())))
    return made


def batch_of(matrix, kind="sparse"):
    rows = SparseRows(canonical_csr(matrix), CPU) if kind == "sparse" else DenseRows(matrix, CPU)
    return rows.batch(torch.arange(len(matrix)))


def exact(tensors):
    return [tensor.detach().numpy().astype(float) for tensor in tensors]


# ---------------------------------------------------------------------- encoder and decoder


@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_encoder_equals_numpy(hidden, variational, normalize, kind):
    net = network(hidden, variational=variational, normalize=normalize)
    x = RATINGS.astype(float)
    if normalize:
        x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    weights, biases = exact(net.encoder_weights), exact(net.encoder_biases)
    h = x @ weights[0] + biases[0]
    for weight, bias in zip(weights[1:], biases[1:], strict=True):
        h = np.tanh(h) @ weight + bias
    code, log_variance = net.encode(batch_of(RATINGS, kind))
    assert code.shape == (7, hidden[-1])
    if variational:
        np.testing.assert_allclose(code.detach(), h[:, : hidden[-1]], atol=1e-5)
        np.testing.assert_allclose(log_variance.detach(), np.minimum(h[:, hidden[-1] :], 2), atol=1e-5)
    else:
        np.testing.assert_allclose(code.detach(), np.tanh(h), atol=1e-5)
        assert log_variance is None
    alone, nothing = net.encode(batch_of(RATINGS, kind), with_variance=False)
    np.testing.assert_allclose(alone.detach(), code.detach(), atol=1e-6)
    assert nothing is None


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_decoder_equals_numpy(hidden, tied, variational):
    net = network(hidden, tied=tied, variational=variational)
    biases = exact(net.decoder_biases)
    if tied:
        encoder = exact(net.encoder_weights)
        encoder[-1] = encoder[-1][:, : hidden[-1]]  # of a variational code the mean
        weights = [weight.T for weight in encoder[::-1]]
        assert len(net.decoder_weights) == 0
    else:
        *inner, last = exact(net.decoder_weights)
        weights = [*inner, last.T]
    code = np.random.default_rng(0).normal(size=(4, hidden[-1]))
    h = code
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = np.tanh(h @ weight + bias)
    given = torch.tensor(code, dtype=torch.float32)
    np.testing.assert_allclose(net.decode_hidden(given).detach(), h, atol=1e-5)
    np.testing.assert_allclose(net.decode(given).detach(), h @ weights[-1] + biases[-1], atol=1e-5)
    np.testing.assert_allclose(net.output_weight.detach(), weights[-1].T)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_what_they_are_called(name):
    x = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(ACTIVATIONS[name](torch.tensor(x)), FORMULAS[name](x), rtol=1e-12)
    net = network((5,), activation=name)
    expected = FORMULAS[name](RATINGS @ exact(net.encoder_weights)[0] + exact(net.encoder_biases)[0])
    np.testing.assert_allclose(net.encode(batch_of(RATINGS))[0].detach(), expected, atol=1e-5)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_user_factors_are_added_to_the_first_layer_of_known_users_only(hidden):
    net, batch = network(hidden, n_users=3), batch_of(RATINGS)
    users = [2, -1, 0, -1, 1, -1, -1]
    factors = np.vstack([exact([net.user_factors])[0], np.zeros((1, hidden[0]))])[users]
    h = RATINGS @ exact(net.encoder_weights)[0] + exact(net.encoder_biases)[0] + factors
    for weight, bias in zip(exact(net.encoder_weights)[1:], exact(net.encoder_biases)[1:], strict=True):
        h = np.tanh(h) @ weight + bias
    code, _ = net.encode(batch, torch.tensor(users))
    np.testing.assert_allclose(code.detach(), np.tanh(h), atol=1e-5)
    nobody, _ = net.encode(batch, torch.full((7,), -1))
    assert torch.equal(nobody, net.encode(batch)[0])


def test_only_the_factors_of_users_in_the_batch_have_a_gradient():
    net = network(n_users=4)
    cost, _ = net.cost(batch_of(RATINGS[:3]), torch.tensor([2, -1, 1]))
    cost.total(1.0).backward()
    assert (net.user_factors.grad != 0).any(dim=1).tolist() == [False, True, True, False]


@pytest.mark.parametrize("variational", [False, True])
def test_top_k_applies_to_the_code_and_not_to_the_log_variance(variational):
    choices = {"hidden": (6,), "variational": variational}
    code, log_variance = network(sparsity=TopKSparsity(2), **choices).encode(batch_of(RATINGS))
    full, full_log_variance = network(**choices).encode(batch_of(RATINGS))
    for row, complete in zip(code.tolist(), full.tolist(), strict=True):
        kept = sorted(range(6), key=lambda unit: -abs(complete[unit]))[:2]
        assert row == [complete[unit] if unit in kept else 0 for unit in range(6)]
    if variational:
        assert torch.equal(log_variance, full_log_variance)


# ---------------------------------------------------------------------- noise


@pytest.mark.parametrize("noise", [MaskingNoise(0.5), GaussianNoise(0.5), GaussianNoise(0.5, entries="all")], ids=str)
@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_noise_is_drawn_only_where_a_generator_is_given(noise, kind):
    net, batch = network(noise=noise), batch_of(RATINGS, kind)
    clean = network().encode(batch)[0]
    assert torch.equal(net.encode(batch)[0], clean)
    noisy = [net.encode(batch, noise_from=torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert not torch.allclose(noisy[0], clean)
    assert torch.equal(noisy[0], noisy[1])
    assert not torch.equal(noisy[0], noisy[2])


def test_gaussian_noise_on_all_entries_has_the_spread_of_noise_on_a_dense_row():
    n = 40_000
    net = network((4,), activation="identity", noise=GaussianNoise(0.5, entries="all"))
    spreads = []
    for kind in ("sparse", "dense"):
        batch = batch_of(np.tile(RATINGS[:1], (n, 1)), kind)
        code, _ = net.encode(batch, noise_from=torch.Generator().manual_seed(0))
        spreads.append(np.cov(code.detach().numpy(), rowvar=False))
    W = exact(net.encoder_weights)[0]
    expected = 0.25 * W.T @ W
    error = 5 * np.sqrt(2 / n) * np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    for found in spreads:
        assert (np.abs(found - expected) < error).all()


def test_noise_is_added_after_rows_have_unit_length():
    net = network((4,), activation="identity", normalize=True, noise=MaskingNoise(0.5))
    few, many = (batch_of(scale * RATINGS) for scale in (1, 100))
    codes = [net.encode(batch, noise_from=torch.Generator().manual_seed(0))[0] for batch in (few, many)]
    torch.testing.assert_close(*codes, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------- initial weights


@pytest.mark.parametrize("variational", [False, True])
def test_initial_weights_are_uniform_within_the_bounds_of_glorot_and_bengio(variational):
    architecture = Architecture(
        n_inputs=300, hidden=(80, 40), activation="tanh", likelihood=LIKELIHOODS["gaussian"], variational=variational
    )
    net = Network(architecture, torch.Generator().manual_seed(0))
    ends = [(300, 80), (80, 80 if variational else 40), (40, 80), (300, 80)]
    assert [tuple(weight.shape) for weight in net.weights()] == ends
    for weight in net.weights():
        w, bound = weight.detach().numpy(), np.sqrt(6 / sum(weight.shape))
        if variational and weight is net.encoder_weights[-1]:
            w, log_variance = np.split(w, 2, axis=1)
            assert not log_variance.any()
        assert 0.99 * bound < np.abs(w).max() <= bound
        deviation = bound / np.sqrt(3)  # of a uniform distribution on ±bound
        assert w.std() == pytest.approx(deviation, rel=0.03)
        assert abs(w.mean()) < 4 * deviation / np.sqrt(w.size)
    assert all((bias == 0).all() for bias in net.biases())


def test_the_log_variance_of_rows_of_unit_length_begins_as_the_other_weights_do():
    architecture = Architecture(30, (8,), "tanh", LIKELIHOODS["multinomial"], variational=True, normalize=True)
    assert Network(architecture, torch.Generator().manual_seed(0)).encoder_weights[0][:, 8:].all()


def test_a_row_far_out_has_no_code_of_endless_variance():
    net, far = network(variational=True), np.full((1, 11), 1e6, dtype=np.float32)
    cost, _ = net.cost(batch_of(far, "dense"), noise_from=torch.Generator().manual_seed(0))
    assert net.encode(batch_of(far, "dense"))[1].max() == 2
    assert torch.isfinite(cost.kl)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_the_squared_error_begins_at_that_of_the_column_means(kind):
    net, rows = network(likelihood="gaussian"), batch_of(RATINGS, kind)
    net.begin_at_average(SparseRows(canonical_csr(RATINGS), CPU) if kind == "sparse" else DenseRows(RATINGS, CPU))
    with torch.no_grad():
        net.decoder_weights[-1].zero_()
    cost, _ = net.cost(rows)
    assert float(cost.likelihood) == pytest.approx(0.5 * np.square(RATINGS - RATINGS.mean(axis=0)).sum(axis=1).mean())


def test_user_factors_begin_at_zero():
    architecture = Architecture(3, (2,), "tanh", LIKELIHOODS["gaussian"], n_users=5)
    factors = Network(architecture, torch.Generator()).user_factors
    assert factors.shape == (5, 2)
    assert (factors == 0).all()


def test_the_generator_decides_the_initial_weights():
    def weights(seed):
        return network((6, 3), seed=seed).weights()

    assert all(torch.equal(a, b) for a, b in zip(weights(1), weights(1), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(1), weights(2), strict=True))
    net = network(seed=1)
    changed = network(seed=2)
    changed.reset_parameters(torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(net.weights(), changed.weights(), strict=True))


def test_weights_and_biases_are_all_the_parameters():
    for tied, n_users in itertools.product([False, True], [0, 4]):
        net = network((6, 3), tied=tied, n_users=n_users)
        parts = [*net.weights(), *net.biases()]
        assert {id(part) for part in parts} == {id(part) for part in net.parameters()}
        assert len(parts) == len({id(part) for part in parts})
        assert not {id(part) for part in net.biases()} & {id(part) for part in net.weights()}


def test_the_repr_shows_sizes_and_choices():
    assert "hidden=(6, 3)" in repr(network((6, 3)))


# ---------------------------------------------------------------------- cost


def dense_cost(net, x, users, normal, kl_weight):
    """The cost from its definition, on a dense matrix, in float64 and in plain operations of torch."""
    arch = net.architecture
    p = {name: value.detach().double().requires_grad_() for name, value in net.named_parameters()}
    n = len(arch.hidden)
    E, e = ([p[f"encoder_{kind}.{at}"] for at in range(n)] for kind in ("weights", "biases"))
    d = [p[f"decoder_biases.{at}"] for at in range(n)]
    if arch.tied:
        D = [w[:, : arch.hidden[-1]].T if at == n - 1 else w.T for at, w in enumerate(E)][::-1]
    else:
        D = [p[f"decoder_weights.{at}"] for at in range(n)]
        D[-1] = D[-1].T
    f = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[arch.activation]
    x = torch.tensor(x, dtype=torch.float64)
    read = x / x.norm(dim=1, keepdim=True).clamp_min(1e-30) if arch.normalize else x
    h = read @ E[0] + e[0]
    if users is not None:
        h = h + torch.stack([p["user_factors"][u] if u >= 0 else torch.zeros_like(h[0]) for u in users])
    for weight, bias in zip(E[1:], e[1:], strict=True):
        h = f(h) @ weight + bias
    kl = torch.zeros((), dtype=torch.float64)
    if arch.variational:
        code, log_variance = h[:, : arch.hidden[-1]], h[:, arch.hidden[-1] :].clamp_max(2)
        variance = log_variance.exp()
        prior = torch.distributions.Normal(torch.zeros_like(code), torch.ones_like(code))
        kl = torch.distributions.kl_divergence(torch.distributions.Normal(code, variance.sqrt()), prior).sum(1).mean()
        z = code if normal is None else code + normal.double() * variance.sqrt()
    else:
        code = z = f(h)
    penalty = torch.zeros((), dtype=torch.float64)
    if isinstance(arch.sparsity, L1Sparsity):
        penalty = arch.sparsity.weight * code.abs().sum(dim=1).mean()
    if isinstance(arch.sparsity, KLSparsity):
        share = code.mean(dim=0) if arch.activation == "sigmoid" else (code.mean(dim=0) + 1) / 2
        rho = arch.sparsity.target
        terms = rho * torch.log(rho / share) + (1 - rho) * torch.log((1 - rho) / (1 - share))
        penalty = arch.sparsity.weight * terms.sum()
    for weight, bias in zip(D[:-1], d[:-1], strict=True):
        z = f(z @ weight + bias)
    logits = z @ D[-1] + d[-1]
    losses = {
        "multinomial": lambda: -x * torch.log_softmax(logits, dim=1),
        "bernoulli": lambda: -x * torch.log(torch.sigmoid(logits)) - (1 - x) * torch.log(torch.sigmoid(-logits)),
        "gaussian": lambda: 0.5 * (x - logits) ** 2,
        "observed": lambda: 0.5 * (x - logits) ** 2 * (x != 0),
    }
    loss = losses[arch.likelihood.name]().sum(dim=1).mean()
    return (loss, penalty, kl), loss + penalty + kl_weight * kl, p


CASES = {
    "one layer": {"hidden": (5,)},
    "two layers": {"hidden": (6, 3), "normalize": True},
    "tied": {"hidden": (6, 3), "tied": True, "sparsity": L1Sparsity(0.7)},
    "one layer tied": {"hidden": (5,), "tied": True, "sparsity": KLSparsity(0.1, 2.0)},
    "kl sparsity": {"hidden": (5,), "activation": "sigmoid", "sparsity": KLSparsity(0.2, 1.5)},
    "users": {"hidden": (6, 3), "n_users": 4},
    "variational": {"hidden": (6, 3), "variational": True, "normalize": True, "sparsity": L1Sparsity(0.3)},
    "variational tied users": {"hidden": (5,), "variational": True, "tied": True, "n_users": 4},
    "variational two layers tied": {"hidden": (6, 3), "variational": True, "tied": True},
}


@pytest.mark.parametrize(("likelihood", "kind"), LIKELIHOODS_AND_KINDS)
@pytest.mark.parametrize("case", CASES)
def test_cost_and_every_gradient_equal_autograd_on_the_dense_formula(likelihood, case, kind):
    net = network(likelihood=likelihood, **CASES[case])
    x = LIKES if likelihood == "bernoulli" else RATINGS
    users = [3, -1, 0, 0, -1, 1, 2] if net.user_factors is not None else None
    normal = draw = None
    if net.architecture.variational:
        draw = torch.Generator().manual_seed(5)
        normal = torch.randn((7, net.architecture.hidden[-1]), generator=torch.Generator().manual_seed(5))
    cost, _ = net.cost(batch_of(x, kind), None if users is None else torch.tensor(users), noise_from=draw)
    cost.total(0.4).backward()
    parts, total, exact_parameters = dense_cost(net, x, users, normal, 0.4)
    total.backward()
    for found, expected in zip((cost.likelihood, cost.sparsity, cost.kl), parts, strict=True):
        assert found.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)
    for name, parameter in net.named_parameters():
        expected = exact_parameters[name].grad
        scale = expected.abs().max().item()
        assert scale > 0
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-3, atol=1e-5 * max(1.0, scale), err_msg=name)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian", "observed"])
def test_what_is_held_out_is_asked_for_and_what_is_read_is_not(likelihood, native, half, monkeypatch):
    if not native:
        monkeypatch.setattr("aerec.network.losses.kernels.usable", lambda *tensors: False)
    noise = MaskingNoise(0.4, hold_out=True)
    net = network(likelihood=likelihood, hidden=(5,), normalize=True, noise=noise)
    x = LIKES if likelihood == "bernoulli" else RATINGS
    cost, _ = net.cost(batch_of(x, "sparse"), noise_from=torch.Generator().manual_seed(3), half=half)
    cost.total(0.0).backward()
    p = {name: value.detach().double().requires_grad_() for name, value in net.named_parameters()}
    stored = batch_of(x, "sparse")
    read = noise.corrupt(stored.values, torch.Generator().manual_seed(3))
    dense, seen = torch.tensor(x, dtype=torch.float64), torch.zeros(x.shape, dtype=torch.float64)
    seen.index_put_((stored.pattern.rows, stored.pattern.columns), read.double() / stored.values)
    assert 0 < (seen != 0).sum() < (x != 0).sum()
    unit = dense / dense.norm(dim=1, keepdim=True).clamp_min(1e-30) * seen
    code = torch.tanh(unit @ p["encoder_weights.0"] + p["encoder_biases.0"])
    logits = code @ p["decoder_weights.0"].T + p["decoder_biases.0"]
    asked, stays = dense * (seen == 0), (seen == 0).double()
    own = {
        "multinomial": -asked * torch.log_softmax(torch.where(seen == 0, logits, -1e4), dim=1),
        "bernoulli": torch.nn.functional.softplus(logits) - dense * logits,
        "gaussian": 0.5 * (dense - logits) ** 2,
        "observed": 0.5 * (dense - logits) ** 2 * (dense != 0),
    }[likelihood]
    expected = (own * stays * torch.where(dense != 0, 1 / 0.4, 1.0)).sum(dim=1).mean()
    expected.backward()
    assert cost.likelihood.item() == pytest.approx(expected.item(), rel=3e-2 if half else 1e-5)
    for name, parameter in net.named_parameters():
        wanted = p[name].grad
        np.testing.assert_allclose(
            parameter.grad, wanted, atol=(0.05 if half else 1e-5) * max(1.0, wanted.abs().max().item()), err_msg=name
        )


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian"])
def test_held_out_ratings_cost_the_same_among_negatives_that_are_all_the_others(likelihood, variational):
    costs = []
    for negatives in (None, 11, 99):
        chosen = {"noise": MaskingNoise(0.4, hold_out=True), "negatives": negatives, "variational": variational}
        net = network(likelihood=likelihood, **chosen)
        cost, _ = net.cost(batch_of(LIKES, "sparse"), noise_from=torch.Generator().manual_seed(3))
        cost.total(0.5).backward()
        gradients = [parameter.grad.to_dense() for parameter in net.parameters()]
        costs.append([cost.total(0.5).detach(), *gradients])
    for found in costs[1:]:
        torch.testing.assert_close(found, costs[0], atol=1e-5, rtol=1e-4)


def test_a_variational_code_is_read_from_what_is_left_and_asked_for_what_is_held_out():
    noise = MaskingNoise(0.4, hold_out=True)
    net = network(noise=noise, variational=True)
    found, _ = net.cost(batch_of(RATINGS, "sparse"), noise_from=torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    batch = batch_of(RATINGS, "sparse")
    seen = np.zeros(RATINGS.shape, dtype=bool)
    seen[batch.pattern.rows, batch.pattern.columns] = noise.draw(batch.values, generator).numpy()
    mean, log_variance = net.encode(batch_of((RATINGS * seen / 0.6).astype(np.float32), "sparse"))
    code = mean + torch.randn(mean.shape, generator=generator) * torch.exp(0.5 * log_variance)
    logits = code @ net.output_weight.T + net.decoder_biases[-1]
    logits = torch.where(torch.tensor(seen), -torch.inf, logits).double()
    asked = torch.tensor(RATINGS * ~seen).double()
    own = torch.where(asked > 0, asked * torch.log_softmax(logits, dim=1), 0.0)
    assert found.likelihood.item() == pytest.approx(-own.sum(dim=1).mean().item() / 0.4, rel=1e-4)
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    assert found.kl.item() == pytest.approx(kl.item(), rel=1e-4)


def test_a_stored_value_of_0_is_read_like_any_other():
    noise = MaskingNoise(0.4, hold_out=True)
    batch = batch_of(RATINGS, "sparse")
    expected = noise.draw(batch.values, torch.Generator().manual_seed(3))
    assert expected[:5].any()
    values = batch.values.clone()
    values[:5] = 0
    _, asked = replace(batch, values=values).held_out(noise, torch.Generator().manual_seed(3))
    assert torch.equal(asked.left_out, expected)
    assert (asked.weights[expected] == 0).all()


def test_what_is_held_out_counts_by_its_weight():
    noise = MaskingNoise(0.4, hold_out=True)
    plain = batch_of(RATINGS, "sparse")
    weights = torch.linspace(0.5, 3, len(plain.values))
    _, asked = plain.held_out(noise, torch.Generator().manual_seed(3))
    _, weighted = replace(plain, weights=weights).held_out(noise, torch.Generator().manual_seed(3))
    torch.testing.assert_close(weighted.weights, asked.weights * weights)
    assert set(asked.weights.tolist()) == {0.0, 2.5}


def test_a_clean_cost_uses_the_mean_of_a_variational_code():
    net = network((6, 3), variational=True)
    cost, _ = net.cost(batch_of(RATINGS))
    parts, _, _ = dense_cost(net, RATINGS, None, None, 1.0)
    assert cost.likelihood.item() == pytest.approx(parts[0].item(), rel=1e-5)
    assert cost.kl.item() == pytest.approx(parts[2].item(), rel=1e-5)


def test_the_statistic_adds_up_over_batches():
    net = network(sparsity=L1Sparsity(0.5))
    whole = net.cost(batch_of(RATINGS))[1]
    parts = net.cost(batch_of(RATINGS[:3]))[1] + net.cost(batch_of(RATINGS[3:]))[1]
    torch.testing.assert_close(whole, parts)
    assert whole.shape == (5,)


@pytest.mark.parametrize(("likelihood", "kind"), LIKELIHOODS_AND_KINDS)
def test_rows_without_ratings_have_a_finite_cost_and_gradient(likelihood, kind):
    net = network((6, 3), likelihood, normalize=True, variational=True, noise=MaskingNoise(0.5))
    cost, _ = net.cost(batch_of(np.zeros((2, 11), dtype=np.float32), kind), noise_from=torch.Generator())
    cost.total(1.0).backward()
    assert torch.isfinite(cost.total(1.0))
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian"])
def test_bfloat16_products_stay_close_to_float32(likelihood):
    x = (np.random.default_rng(0).random((60, 11)) < 0.4).astype(np.float32)
    costs, gradients = [], []
    for half in (False, True):
        net = network((6, 3), likelihood)
        cost, _ = net.cost(batch_of(x), half=half)
        cost.total(1.0).backward()
        costs.append(cost.likelihood.item())
        gradients.append(torch.cat([parameter.grad.reshape(-1) for parameter in net.parameters()]))
        assert gradients[-1].dtype == torch.float32
    assert costs[1] != costs[0]
    assert costs[1] == pytest.approx(costs[0], rel=2**-7)  # bfloat16 keeps 8 bits
    full, rounded = gradients
    assert (full - rounded).norm() < 2**-6 * full.norm()


@pytest.mark.parametrize("tied", [False, True])
def test_the_layout_for_single_rows_changes_neither_values_nor_what_is_saved(tied, tmp_path):
    likes = load_dataset("sample").binarize(4.0)
    model = Autoencoder(hidden=(12, 5), tied=tied, epochs=1, progress=False).fit(likes)
    some = likes.select_users(likes.users[:3])
    before, weight = model.score_items(some), model.coefs_[-1].copy()
    model.network_.lay_out_for_single_rows()
    assert model.network_.output_weight.T.is_contiguous() != tied
    np.testing.assert_allclose(model.score_items(some), before, atol=1e-5)
    np.testing.assert_array_equal(model.coefs_[-1], weight)
    model.save(tmp_path / "model")
    np.testing.assert_allclose(load_model(tmp_path / "model").score_items(some), before, atol=1e-5)
