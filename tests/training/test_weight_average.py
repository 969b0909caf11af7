"""The average of weights over epochs against the sum that it is defined as, and a training that keeps it."""

import numpy as np
import pytest
import torch

from aerec.datasets import load_dataset
from aerec.models import MultDAE
from aerec.training.callbacks import Callback
from aerec.training.optimizers import WeightAverage


@pytest.mark.parametrize("decay", [0.5, 0.8])
def test_the_average_is_the_weighted_sum_of_all_epochs(decay):
    weight = torch.zeros(3, dtype=torch.float64)
    average, trained = WeightAverage([weight], decay), []
    for epoch in range(5):
        average.swap()
        assert torch.equal(weight, trained[-1] if trained else torch.zeros(3, dtype=torch.float64))
        weight += torch.tensor([1.0, -2.0, epoch])
        trained.append(weight.clone())
        average.end_epoch()
        shares = np.power(decay, np.arange(epoch, -1, -1.0))
        expected = sum(share * old for share, old in zip(shares / shares.sum(), trained, strict=True))
        assert torch.allclose(weight, expected)


def test_its_state_goes_on_where_it_was():
    weight, other = torch.zeros(2), torch.zeros(2)
    average, again = WeightAverage([weight], 0.8), WeightAverage([other], 0.8)
    for epoch in range(6):
        average.swap()
        weight += epoch
        average.end_epoch()
        if epoch == 2:
            other.copy_(weight)
            again.load_state_dict({name: torch.as_tensor(part).clone() for name, part in average.state_dict().items()})
        if epoch > 2:
            again.swap()
            other += epoch
            again.end_epoch()
    assert torch.equal(other, weight)


@pytest.mark.parametrize(
    "state", [{"total": 1.0}, {"total": 0.0, "trained.0": torch.zeros(2)}, {"total": float("nan")}]
)
def test_a_state_that_contradicts_itself_is_refused(state):
    with pytest.raises(ValueError, match="averaged weights"):
        WeightAverage([torch.zeros(2)], 0.8).load_state_dict(state)


@pytest.mark.parametrize("weights", [torch.zeros(3), torch.zeros(2, dtype=torch.float64)])
def test_a_state_of_another_network_is_refused(weights):
    with pytest.raises(ValueError, match="another network"):
        WeightAverage([torch.zeros(2)], 0.8).load_state_dict({"total": 1.0, "trained.0": weights})


def test_calls_of_partial_fit_average_as_one_fit_does():
    likes = load_dataset("sample").binarize(4.0)
    whole = MultDAE(hidden=8, epochs=4, progress=False).fit(likes)
    parts = MultDAE(hidden=8, epochs=1, progress=False).fit(likes)
    for _ in range(3):
        parts.partial_fit(likes)
    for first, second in zip(whole.coefs_, parts.coefs_, strict=True):
        assert np.array_equal(first, second)


def test_a_training_that_is_resumed_averages_alike(tmp_path):
    likes = load_dataset("sample").binarize(4.0)
    whole = MultDAE(hidden=8, epochs=4, progress=False).fit(likes)

    class Stopped(Exception):
        pass

    class StopAfterTwo(Callback):
        def epoch_done(self, record, model):
            if record["epoch"] == 3:
                raise Stopped

    with pytest.raises(Stopped):
        MultDAE(hidden=8, epochs=4, progress=False).fit(likes, checkpoint=tmp_path / "c", callbacks=[StopAfterTwo()])
    resumed = MultDAE(hidden=8, epochs=4, progress=False).fit(likes, checkpoint=tmp_path / "c")
    for first, second in zip(whole.coefs_, resumed.coefs_, strict=True):
        assert np.array_equal(first, second)
