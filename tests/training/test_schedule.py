import numpy as np
import pytest

from aerec.datasets import load_dataset
from aerec.models import AutoRec, MultDAE, RecVAE
from aerec.training.callbacks import Callback
from aerec.training.schedule import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_the_full_rate_and_never_rises(name):
    factors = [SCHEDULES[name](progress) for progress in np.linspace(0, 0.99, 50)]
    assert factors[0] == 1
    assert (np.diff(factors) <= 0).all()
    assert min(factors) > 0


def test_cosine_and_linear_are_half_way_at_half_time_and_end_at_0():
    for name in ("cosine", "linear"):
        assert SCHEDULES[name](0.5) == pytest.approx(0.5)
        assert SCHEDULES[name](1.0) == pytest.approx(0.0)


class Rates(Callback):
    def __init__(self):
        self.seen = []

    def epoch_done(self, record, model):
        trainer = model._trainer
        self.seen.append({float(group["lr"]) for one in trainer.optimizers() for group in one.param_groups})


@pytest.mark.parametrize("model_class", [MultDAE, RecVAE, AutoRec])
def test_every_optimizer_follows_the_schedule(model_class):
    data = load_dataset("sample")
    rates = Rates()
    model = model_class(hidden=4, epochs=4, learning_rate=0.01, learning_rate_schedule="linear", progress=False)
    model.fit(data if model_class is AutoRec else data.binarize(4.0), callbacks=[rates])
    assert [sorted(one) for one in rates.seen] == [[pytest.approx(0.01 * left)] for left in (1.0, 0.75, 0.5, 0.25)]


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="learning_rate_schedule"):
        MultDAE(learning_rate_schedule="steps", epochs=1, progress=False).fit(load_dataset("sample").binarize(4.0))
