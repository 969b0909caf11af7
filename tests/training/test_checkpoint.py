import sys

import numpy as np
import pytest

from aerec.datasets import load_dataset
from aerec.errors import DataError, ModelFileError
from aerec.files.storage import read_folder, write_folder
from aerec.models import CDAE, ELSA, AutoRec, MultVAE, RecVAE, SparseAutoencoder
from aerec.splitting import RandomHoldout, StrongGeneralization
from aerec.training.callbacks import Callback
from aerec.training.trainer import EagerSteps

QUICK = {"epochs": 4, "batch_size": 100, "progress": False, "device": "cpu"}  # which repeats to the bit
MODELS = {
    "mult-vae": lambda **given: MultVAE(hidden=(12, 6), kl_annealing_steps=20, **QUICK, **given),
    "cdae": lambda **given: CDAE(hidden=8, weight_decay=0.01, **QUICK, **given),
    "rec-vae": lambda **given: RecVAE(hidden=4, encoder_passes=2, **QUICK, **given),
    "elsa": lambda **given: ELSA(n_factors=6, **QUICK, **given),
    "autorec": lambda **given: AutoRec(hidden=6, biases=True, **QUICK, **given),
}


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def splits():
    ratings = load_dataset("sample")
    ratings = ratings.select_users(ratings.users[:500])
    return {
        "rank": StrongGeneralization(n_users=50, seed=1).split(ratings.binarize(4.0)),
        "rate": RandomHoldout(0.1, seed=1).split(ratings),
    }


@pytest.fixture(scope="module")
def wholes():
    """Models that were trained without a break, by name, for all tests."""
    return {}


def interrupted(monkeypatch, model, split, folder, at_step):
    """Train until the optimiser is about to take step number `at_step`, and break off there."""
    original = EagerSteps.cost

    def watched(steps, *given):
        if steps.trainer.step >= at_step:
            raise Killed
        return original(steps, *given)

    with monkeypatch.context() as patch:
        patch.setattr(EagerSteps, "cost", watched)
        with pytest.raises(Killed):
            model.fit(split.train, split.validation, checkpoint=folder)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("share", [0.05, 0.4, 0.8])
def test_a_training_broken_off_anywhere_ends_as_the_whole_one_does(monkeypatch, tmp_path, splits, wholes, name, share):
    split = splits["rate" if name == "autorec" else "rank"]
    whole = wholes[name] = wholes.get(name) or MODELS[name]().fit(split.train, split.validation)
    interrupted(monkeypatch, MODELS[name](), split, tmp_path / "kept", int(share * whole._steps))
    resumed = MODELS[name]().fit(split.train, split.validation, checkpoint=tmp_path / "kept")
    for first, second in zip(whole.network_.parameters(), resumed.network_.parameters(), strict=True):
        assert np.array_equal(first.detach().numpy(), second.detach().numpy())
    timeless = [model.history_.drop(columns="seconds") for model in (whole, resumed)]
    assert timeless[0].equals(timeless[1])
    users = split.test.history
    assert np.array_equal(whole.score_items(users), resumed.score_items(users))


def test_early_stopping_is_resumed_too(monkeypatch, tmp_path, splits):
    split = splits["rank"]
    given = {"hidden": 8, "learning_rate": 0.1, "patience": 2, "epochs": 40, "progress": False, "device": "cpu"}

    def make():
        return SparseAutoencoder(**given)

    whole = make().fit(split.train, split.validation)
    assert len(whole.history_) < 40
    make().fit(split.train, split.validation, checkpoint=tmp_path)
    again = make().fit(split.train, split.validation, checkpoint=tmp_path)  # complete: nothing is trained any more
    assert len(again.history_) == len(whole.history_)
    assert np.array_equal(again.coefs_[0], whole.coefs_[0])


@pytest.mark.parametrize("other", [{"learning_rate": 0.5}, {"seed": 3}, {"hidden": 9}, "data", "validation"], ids=str)
def test_other_data_or_parameters_are_refused_and_the_checkpoint_stays(tmp_path, splits, other):
    split = splits["rank"]
    model = CDAE(**{"hidden": 8, **QUICK})
    model.fit(split.train, split.validation, checkpoint=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    train, validation = split.train, split.validation
    if other == "data":
        train = train.select_users(train.users[:-1])
    elif other == "validation":
        validation = split.test
    else:
        model = CDAE(**{"hidden": 8, **QUICK, **other})
    differs = {"data": "data", "validation": "validation data"}.get(str(other)) or next(iter(other))
    with pytest.raises(DataError, match=rf"of another training \({differs} is [^;]*, there [^;]*\): go on as"):
        model.fit(train, validation, checkpoint=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_checkpoint_is_refused(tmp_path, splits):
    train = splits["rank"].train
    CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)
    file = next(tmp_path.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="checksum"):
        CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)


def test_a_moment_of_one_number_is_refused_before_the_fused_optimiser_reads_beyond_it(tmp_path, splits):
    train = splits["rank"].train
    CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)
    header, tensors = read_folder(tmp_path, "checkpoint")
    name = next(name for name, value in tensors.items() if name.endswith(".exp_avg") and value.size > 1)
    tensors[name] = np.zeros(1, dtype=np.float32)
    content = {name: header[name] for name in ("layout", "torch_version", "identity", "records", "state")}
    write_folder(tmp_path, "checkpoint", content, tensors)
    with pytest.raises(ModelFileError, match=r"exp_avg of parameter \d+ has the shape \(1,\)"):
        CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)


def test_a_checkpoint_of_an_older_version_is_refused_in_one_line(tmp_path, splits):
    train = splits["rank"].train
    CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)
    header, tensors = read_folder(tmp_path, "checkpoint")
    older = {name: header[name] for name in ("identity", "records")} | {"step": 4, "best_epoch": 0}
    write_folder(tmp_path, "checkpoint", older, tensors)
    with pytest.raises(ModelFileError, match="was written by another version of aerec"):
        CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update({"trainer.step": -1}),
        lambda state: state.update({"best.epoch": 9}),
        lambda state: state.update({"best.epoch": 0}),
        lambda state: state.pop("trainer.epoch"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(tmp_path, splits, change):
    split = splits["rank"]
    CDAE(hidden=4, **QUICK).fit(split.train, split.validation, checkpoint=tmp_path)
    header, tensors = read_folder(tmp_path, "checkpoint")
    content = {name: header[name] for name in ("layout", "torch_version", "identity", "records", "state")}
    change(content["state"])
    write_folder(tmp_path, "checkpoint", content, tensors)
    with pytest.raises(ModelFileError, match=r"does not fit \(.*\); delete it"):
        CDAE(hidden=4, **QUICK).fit(split.train, split.validation, checkpoint=tmp_path)


def test_more_epochs_are_those_of_a_longer_training(tmp_path, splits):
    split = splits["rank"]

    def cdae(epochs):
        return CDAE(**{**QUICK, "hidden": 4, "epochs": epochs})

    whole = cdae(6).fit(split.train, split.validation)
    cdae(3).fit(split.train, split.validation, checkpoint=tmp_path)
    resumed = cdae(6).fit(split.train, split.validation, checkpoint=tmp_path)
    assert len(resumed.history_) == 6
    assert np.array_equal(resumed.coefs_[0], whole.coefs_[0])
    with pytest.raises(DataError, match="holds 6 epochs, more than epochs=5"):
        cdae(5).fit(split.train, split.validation, checkpoint=tmp_path)


def test_a_schedule_that_depends_on_the_epochs_refuses_another_number(tmp_path, splits):
    def cdae(epochs):
        return CDAE(**{**QUICK, "hidden": 4, "epochs": epochs}, learning_rate_schedule="cosine")

    cdae(3).fit(splits["rank"].train, checkpoint=tmp_path)
    with pytest.raises(DataError, match="epochs is 6, there 3; the cosine schedule"):
        cdae(6).fit(splits["rank"].train, checkpoint=tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_second_training_is_refused_before_it_begins(tmp_path, splits):
    train, second = splits["rank"].train, CDAE(hidden=4, **QUICK)

    class Starts(Callback):
        def epoch_done(self, record, model):
            if record["epoch"] == 2:
                with pytest.raises(DataError, match=r"another training keeps its state in \S+ at the moment: wait"):
                    second.fit(train, checkpoint=tmp_path / "kept")

    model = CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path / "kept", callbacks=[Starts()])
    assert len(model.history_) == 4
    assert not hasattr(second, "network_")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]  # no lock is left
    second.fit(train, checkpoint=tmp_path / "kept")


def test_a_checkpoint_of_another_pytorch_is_warned_of(tmp_path, splits, monkeypatch):
    train = splits["rank"].train
    with monkeypatch.context() as patch:
        patch.setattr("aerec.training.checkpoint.torch.__version__", "1.0")
        CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match=r"was written by aerec \S+ and PyTorch 1\.0, this is aerec .* goes on"):
        CDAE(hidden=4, **QUICK).fit(train, checkpoint=tmp_path)
