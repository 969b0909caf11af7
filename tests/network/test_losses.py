import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.likelihood import LIKELIHOODS
from aerec.network import losses
from aerec.network.losses import all_entries_loss, observed_loss
from aerec.network.products import Scratch, first_layer
from aerec.network.rows import DenseRows, SparseRows

CPU = torch.device("cpu")
RNG = np.random.default_rng(1)
X = (RNG.random((6, 9)) < 0.4) * RNG.integers(1, 5, size=(6, 9)).astype(np.float32)
X[2] = 0  # a user without ratings
ROWS = torch.tensor([5, 2, 0, 3])


def batches(x=X):
    sparse = sp.csr_array(x.astype(np.float32))
    return SparseRows(sparse, CPU).batch(ROWS), DenseRows(x.astype(np.float32), CPU).batch(ROWS)


def parameters(n_items=9, n_hidden=4, n_rows=4):
    made = torch.Generator().manual_seed(0)
    shapes = [(n_rows, n_hidden), (n_items, n_hidden), (n_items,)]
    return [torch.randn(shape, generator=made, requires_grad=True) for shape in shapes]


def gradients(loss, variables):
    return [g.numpy() for g in torch.autograd.grad(loss, variables)]


def test_batches_hold_the_rows_asked_for():
    sparse, dense = batches()
    rebuilt = np.zeros((4, 9), dtype=np.float32)
    rebuilt[sparse.pattern.rows.numpy(), sparse.pattern.columns.numpy()] = sparse.values.numpy()
    assert np.array_equal(rebuilt, X[ROWS.numpy()])
    assert np.array_equal(dense.values.numpy(), X[ROWS.numpy()])
    assert np.allclose(sparse.totals(), dense.totals())
    assert np.allclose(sparse.normalized().values.square().sum(), 3.0)  # one of the four rows is empty
    assert np.allclose(dense.normalized().values.square().sum(), 3.0)


def test_first_layer_is_the_dense_product_with_its_gradient():
    sparse, dense = batches()
    weight = torch.randn((9, 3), generator=torch.Generator().manual_seed(0), requires_grad=True)
    pull = torch.randn((4, 3), generator=torch.Generator().manual_seed(1))
    for batch in (sparse, dense):
        out = first_layer(batch, weight)
        assert np.allclose(out.detach(), X[ROWS.numpy()] @ weight.detach().numpy(), atol=1e-5)
        (gradient,) = torch.autograd.grad((out * pull).sum(), weight)
        assert np.allclose(gradient, X[ROWS.numpy()].T @ pull.numpy(), atol=1e-5)


def reference(name, x, hidden, weight, bias):
    logits = hidden @ weight.T + bias
    if name == "multinomial":
        return -(x * torch.log_softmax(logits, dim=1)).sum()
    if name == "bernoulli":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    squared = 0.5 * (x - logits).square()
    return (squared * (x != 0)).sum() if name == "observed" else squared.sum()


@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_all_entries_loss_and_gradients_equal_autograd_in_float64(name, kind):
    x = (X > 0).astype(np.float32) if name == "bernoulli" else X
    batch = batches(x)[kind == "dense"]
    variables = parameters()
    loss = all_entries_loss(*variables, batch, LIKELIHOODS[name], half=False)
    exact = [v.detach().double().requires_grad_() for v in variables]
    expected = reference(name, torch.tensor(x[ROWS.numpy()]).double(), *exact)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for found, wanted in zip(gradients(3 * loss, variables), gradients(3 * expected, exact), strict=True):
        assert np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_blocks_of_items_change_nothing(name, kind, half, monkeypatch):
    batch, variables = batches((X > 0).astype(np.float32))[kind == "dense"], parameters()

    def found():
        loss = all_entries_loss(*variables, batch, LIKELIHOODS[name], half)
        return loss.item(), gradients(3 * loss, variables)

    whole, whole_gradients = found()
    monkeypatch.setattr(losses, "_BLOCK_BYTES", (0, 0))
    monkeypatch.setattr(losses, "_WIDTH", 4)
    monkeypatch.setattr(losses, "cpu_has_tiles", lambda: False)
    cut, cut_gradients = found()
    assert cut == pytest.approx(whole, rel=1e-3 if half else 1e-5)
    for one, other in zip(cut_gradients, whole_gradients, strict=True):
        assert np.allclose(one, other, rtol=2**-5 if half else 1e-4, atol=0.1 if half else 1e-4)


@pytest.mark.parametrize("gap", [0, 7])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_logits_may_lie_row_after_row_as_on_accelerators(name, half, gap, monkeypatch):
    batch, variables = batches((X > 0).astype(np.float32))[0], parameters()

    def found():
        loss = all_entries_loss(*variables, batch, LIKELIHOODS[name], half)
        return loss.item(), gradients(loss, variables)

    def by_rows(n_items, hidden, scratch, dtype=None):
        return scratch.take(len(hidden), n_items + gap, like=hidden, dtype=dtype)[:, :n_items].T

    expected, expected_gradients = found()
    monkeypatch.setattr(losses, "_items_by_rows", by_rows)
    monkeypatch.setattr(losses, "_PIECES", 2)
    monkeypatch.setattr(losses, "_BLOCK_BYTES", (4 * batch.n_rows * 4,) * 2)  # four items, two in each piece
    other, other_gradients = found()
    assert other == pytest.approx(expected, rel=1e-3 if half else 1e-6)
    for one, wanted in zip(other_gradients, expected_gradients, strict=True):
        assert np.allclose(one, wanted, rtol=2**-5 if half else 1e-5, atol=0.1 if half else 1e-5)


def test_memory_given_back_serves_the_next_step_and_no_gradient_is_lost():
    x = sp.random_array((64, 3000), density=0.02, random_state=np.random.default_rng(0), format="csr", dtype=np.float32)
    batch, scratch = SparseRows(x, CPU).batch(torch.arange(64)), Scratch()
    variables = parameters(3000, 128, 64)
    expected = gradients(all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], False), variables)
    places = set()
    for _ in range(3):
        all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], False, scratch).backward()
        for variable, wanted in zip(variables, expected, strict=True):
            assert np.array_equal(variable.grad, wanted)
        places.add(variables[1].grad.data_ptr())
        scratch.give(variables[1].grad)
        for variable in variables:
            variable.grad = None
    assert len(places) == 1


def test_two_losses_at_once_do_not_share_memory():
    batch, scratch, variables = batches()[0], Scratch(), parameters(3000, 128)
    x = sp.random_array((4, 3000), density=0.1, random_state=np.random.default_rng(0), format="csr", dtype=np.float32)
    batch = SparseRows(x, CPU).batch(torch.arange(4))
    first, second = (all_entries_loss(*variables, batch, LIKELIHOODS["gaussian"], False, scratch) for _ in range(2))
    apart = gradients(first, variables)
    for one, other in zip(gradients(second, variables), apart, strict=True):
        assert np.array_equal(one, other)


def test_observed_loss_and_gradients_equal_the_masked_dense_form():
    batch, variables = batches()[0], parameters()
    loss = observed_loss(*variables, batch)
    exact = [v.detach().double().requires_grad_() for v in variables]
    expected = reference("observed", torch.tensor(X[ROWS.numpy()]).double(), *exact)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for found, wanted in zip(gradients(loss, variables), gradients(expected, exact), strict=True):
        assert np.allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


def test_bfloat16_factors_stay_close_to_float32():
    batch, variables = batches()[0], parameters()
    full = all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], half=False)
    half = all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], half=True)
    assert half.item() == pytest.approx(full.item(), rel=0.02)


# ---------------------------------------------------------------------- weights

W = np.where(X > 0, RNG.choice([0.1, 0.5, 1.0, 2.0, 7.5], size=X.shape), 0).astype(np.float32)


def weighted_rows(x=X, w=W):
    sparse = sp.csr_array(x.astype(np.float32))
    return SparseRows(sparse, CPU, weights=w[sparse.nonzero()])


def weighted_reference(name, x, w, hidden, weight, bias):
    """Dense: unrated entries have weight 1."""
    logits = hidden @ weight.T + bias
    if name == "multinomial":
        return -(w * x * torch.log_softmax(logits, dim=1)).sum()
    w = torch.where(x != 0, w, torch.tensor(0.0 if name == "observed" else 1.0).double())
    if name == "bernoulli":
        entries = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    else:
        entries = 0.5 * (x - logits).square()
    return (w * entries).sum()


def weighted_loss(name, variables, batch, half=False):
    if name == "observed":
        return observed_loss(*variables, batch)
    return all_entries_loss(*variables, batch, LIKELIHOODS[name], half=half)


@pytest.mark.parametrize(
    ("name", "padded"),
    [(name, padded) for name in LIKELIHOODS for padded in (False, True) if not (padded and name == "observed")],
)
def test_weighted_losses_and_gradients_equal_autograd_in_float64(name, padded):
    x = (X > 0).astype(np.float32) if name == "bernoulli" else X
    rows = weighted_rows(x)
    batch = rows.padded(ROWS, int((X[ROWS.numpy()] > 0).sum()) + 7) if padded else rows.batch(ROWS)
    variables = parameters()
    loss = weighted_loss(name, variables, batch)
    exact = [v.detach().double().requires_grad_() for v in variables]
    dense = (torch.tensor(part[ROWS.numpy()]).double() for part in (x, W))
    expected = weighted_reference(name, *dense, *exact)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for found, wanted in zip(gradients(3 * loss, variables), gradients(3 * expected, exact), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_weights_of_1_change_no_bit_of_a_loss(name):
    x = (X > 0).astype(np.float32) if name == "bernoulli" else X / np.float32(3)
    plain, weighted = SparseRows(sp.csr_array(x.astype(np.float32)), CPU), weighted_rows(x, np.ones_like(X))
    results = []
    for rows in (plain, weighted):
        variables = parameters()
        loss = weighted_loss(name, variables, rows.batch(ROWS))
        results.append([loss.detach().numpy(), *gradients(loss, variables)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["multinomial", "observed"])
def test_a_row_of_weight_2_is_two_rows(name):
    """Of the losses in which a row without ratings costs nothing."""
    once, twice = weighted_rows(w=2 * (X > 0)).batch(ROWS), batches()[0]
    hidden, weight, bias = parameters()
    assert weighted_loss(name, (hidden, weight, bias), once).item() == pytest.approx(
        2 * weighted_loss(name, (hidden, weight, bias), twice).item(), rel=1e-6
    )


@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_weighted_half_precision_is_close(name):
    x = (X > 0).astype(np.float32)
    batch, variables = weighted_rows(x).batch(ROWS), parameters()
    loss, whole = (weighted_loss(name, variables, batch, half=half) for half in (True, False))
    assert loss.item() == pytest.approx(whole.item(), rel=2e-2)
    for found, wanted in zip(gradients(loss, variables), gradients(whole, variables), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


def test_a_weighted_batch_knows_its_draws():
    batch = weighted_rows().batch(ROWS)
    dense = (X * W)[ROWS.numpy()]
    np.testing.assert_allclose(batch.draws(), dense.sum(axis=1), rtol=1e-6)
    counted = batch.counted()
    assert counted.weights is None
    np.testing.assert_allclose(counted.totals(), dense.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(counted.squares(), np.square(dense).sum(axis=1), rtol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("half", [False, True])
def test_the_softmax_of_a_gpu_is_that_of_the_cpu(half):
    x = sp.random_array((64, 1500), density=0.05, dtype=np.float32, rng=np.random.default_rng(0)).tocsr()
    found = []
    for device in (CPU, torch.device("cuda")):
        batch = SparseRows(x, device).batch(torch.arange(64))
        draws = torch.Generator().manual_seed(0)
        shapes = (64, 32), (1500, 32), (1500,)
        variables = [torch.randn(shape, generator=draws).to(device).requires_grad_() for shape in shapes]
        loss = all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], half)
        found.append([loss.item(), *(gradient.cpu() for gradient in torch.autograd.grad(loss, variables))])
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-3 if half else 1e-5)
    for of_cpu, of_gpu in zip(found[0][1:], found[1][1:], strict=True):
        assert np.allclose(of_cpu, of_gpu, rtol=2**-5 if half else 1e-3, atol=0.1 if half else 1e-4)
