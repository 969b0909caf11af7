import torch
from torch import nn

from aerec.training.lazy_adam import LazyAdam


def test_with_a_gradient_in_every_row_it_is_adam():
    made = torch.Generator().manual_seed(0)
    start, pull = torch.randn(5, 3, generator=made), torch.randn(5, 3, generator=made)
    found = []
    for kind in (LazyAdam, torch.optim.Adam):
        weight = nn.Parameter(start.clone())
        optimizer = kind([{"params": [weight], "weight_decay": 0.1}], lr=0.01)
        for step in range(5):
            weight.grad = pull * (step + 1)
            optimizer.step()
        found.append(weight.detach())
    assert torch.allclose(*found, atol=1e-6)


def test_rows_without_a_gradient_stay_and_the_others_move_as_by_adam():
    weight, dense = nn.Parameter(torch.ones(4, 2)), nn.Parameter(torch.ones(4, 2))
    lazy, adam = LazyAdam([{"params": [weight]}], lr=0.1), torch.optim.Adam([dense], lr=0.1)
    for _ in range(3):
        values = torch.tensor([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
        weight.grad = torch.sparse_coo_tensor([[2, 1, 2]], values, (4, 2), check_invariants=True)
        dense.grad = weight.grad.to_dense()
        lazy.step(), adam.step()
    assert torch.equal(weight[[0, 3]], torch.ones(2, 2))
    assert torch.allclose(weight[[1, 2]], dense[[1, 2]], atol=1e-6)
