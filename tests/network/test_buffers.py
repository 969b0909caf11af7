import torch

from aerec.network.buffers import Scratch

LIKE = torch.empty(0)
LARGE = (600, 1000)


def test_what_was_given_back_is_lent_again_in_other_shapes_and_types():
    scratch = Scratch()
    first = scratch.take(*LARGE, like=LIKE)
    place = first.data_ptr()
    scratch.give(first)
    second = scratch.take(1000, 900, like=LIKE, dtype=torch.bfloat16)
    assert second.data_ptr() == place
    assert second.shape == (1000, 900)
    assert second.dtype == torch.bfloat16


def test_what_is_lent_is_not_lent_twice():
    scratch = Scratch()
    one, other = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    one.fill_(1), other.fill_(2)
    assert one.unique().tolist() == [1]
    scratch.give(one, one)  # the second time says nothing new
    taken = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    assert taken[0].data_ptr() != taken[1].data_ptr()


def test_tensors_of_others_are_left_alone():
    scratch = Scratch()
    foreign = torch.zeros(LARGE)
    scratch.give(foreign, None)
    scratch.take(*LARGE, like=LIKE).fill_(7)
    assert not foreign.any()


def test_too_large_a_wish_is_met_with_fresh_memory():
    scratch = Scratch()
    scratch.give(scratch.take(*LARGE, like=LIKE))
    assert scratch.take(2000, 1000, like=LIKE).numel() == 2_000_000
    assert scratch.take(3, 2, like=LIKE).shape == (3, 2)


def test_what_is_cleared_is_forgotten_also_what_is_lent():
    scratch = Scratch()
    kept, lent = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    lent.fill_(1)
    scratch.give(kept)
    scratch.clear()
    scratch.give(lent)  # comes too late
    taken = scratch.take(*LARGE, like=LIKE)
    taken.fill_(2)
    assert lent.unique().tolist() == [1]
