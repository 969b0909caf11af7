"""Kernels of Triton: by its interpreter against PyTorch, in the loss against the plain form, and compiled for a GPU.

They want ``pip install triton``, which is there where PyTorch for CUDA is, and TRITON_INTERPRET=1.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.likelihood import LIKELIHOODS
from aerec.network import losses
from aerec.network.losses import all_entries_loss
from aerec.network.rows import DenseRows, SparseRows

if os.environ.get("TRITON_INTERPRET") != "1":  # read once, when Triton is imported: not for the tests of a GPU
    pytest.skip("wants a process of its own: TRITON_INTERPRET=1 pytest " + __file__, allow_module_level=True)
pytest.importorskip("triton")

from aerec.network import triton_softmax as kernels

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n_items", [1, 1024, 1500])
def test_interpreted_kernels_equal_pytorch(n_items, dtype):
    draws = torch.Generator().manual_seed(0)
    held = torch.randn(3, n_items + 5, generator=draws).to(dtype)
    logits, bias, scale = held[:, :n_items], 9 * torch.randn(n_items, generator=draws), torch.tensor([0.0, 1.0, -2.5])
    behind, exact = held[:, n_items:].clone(), logits.double() + bias
    log_sums = kernels.log_sum_exp(logits, bias)
    assert log_sums.numpy() == pytest.approx(torch.logsumexp(exact, dim=1).numpy(), rel=1e-6)
    kernels.softmax_gradient(logits, bias, log_sums, scale)
    expected = (torch.softmax(exact, dim=1) * scale[:, None]).numpy()
    assert np.allclose(logits.double(), expected, rtol=2**-7 if dtype == torch.bfloat16 else 1e-5, atol=1e-12)
    assert torch.equal(held[:, n_items:], behind)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", [SparseRows, DenseRows])
def test_the_loss_by_these_kernels_is_that_of_the_plain_form(kind, half, monkeypatch):
    matrix = sp.random_array((30, 40), density=0.2, dtype=np.float32, rng=np.random.default_rng(0)).tocsr()
    rows = SparseRows(matrix, CPU) if kind is SparseRows else DenseRows(matrix.toarray(), CPU)
    batch, draws = rows.batch(torch.arange(0, 30, 2)), torch.Generator().manual_seed(0)
    variables = [torch.randn(shape, generator=draws, requires_grad=True) for shape in ((15, 6), (40, 6), (40,))]

    def found():
        loss = all_entries_loss(*variables, batch, LIKELIHOODS["multinomial"], half)
        return loss.item(), torch.autograd.grad(3 * loss, variables)

    wanted, gradients = found()
    monkeypatch.setattr(losses, "_for_kernels", lambda *_: None)
    monkeypatch.setattr(losses, "_row_softmax", lambda *_: kernels)
    monkeypatch.setattr(
        losses,
        "_items_by_rows",
        lambda n, h, scratch, dtype=None: scratch.take(len(h), n + 24, like=h, dtype=dtype)[:, :n].T,
    )
    loss, own_gradients = found()
    assert loss == pytest.approx(wanted, rel=1e-3 if half else 1e-5)
    for own, gradient in zip(own_gradients, gradients, strict=True):
        assert np.allclose(own, gradient, rtol=2**-5 if half else 1e-4, atol=0.2 if half else 1e-4)


def test_kernels_that_are_wrong_are_told_and_not_used(monkeypatch, caplog):
    assert kernels.is_right_on(CPU)
    monkeypatch.setattr(kernels, "softmax_gradient", lambda *_: None)
    assert not kernels.is_right_on(CPU)
    cuda, choose = torch.device("cuda"), losses._row_softmax.__wrapped__
    monkeypatch.setattr(kernels, "is_right_on", lambda _: False)
    assert choose(cuda) is None
    assert "are not used on cuda: they do not give what PyTorch gives" in caplog.text
    monkeypatch.setattr(kernels, "is_right_on", lambda _: True)
    assert choose(cuda) is kernels
    assert choose(CPU) is None


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from aerec.network import triton_softmax as kernels

logits = {"logits": "*bf16", "stride": "i32", "bias": "*fp32", "log_sums": "*fp32"}
for kernel, more in ((kernels._log_sum_exp, {}), (kernels._softmax_gradient, {"scale": "*fp32"})):
    signature = {**logits, **more, "n_items": "i32", "block": "constexpr"}
    source = triton.compiler.ASTSource(kernel, signature=signature, constexprs={"block": 1024})
    assert ".entry" in triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
"""


def test_they_can_be_compiled_for_a_gpu_without_one():
    environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True, timeout=120)
