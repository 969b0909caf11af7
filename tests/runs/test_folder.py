"""Run folders: what goes in comes out, all of it or nothing, and every damage is named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from aerec.baselines import ItemKNN, Popularity
from aerec.datasets import generate_interactions
from aerec.errors import DataError, ModelFileError
from aerec.files.storage import FORMAT_VERSION, read_folder, read_header, write_folder, write_header
from aerec.models import MultDAE
from aerec.runs import folder as runs
from aerec.runs.folder import (
    SPLITTERS,
    Run,
    SplitPlan,
    check_run_path,
    read_run,
    whole,
    write_run,
)

STRONG = SplitPlan("strong", {"n_users": 5, "seed": 3})


@pytest.fixture(scope="module")
def films():
    return generate_interactions(60, 30, 500, seed=1)


@pytest.fixture(scope="module")
def parts(films):
    """A given split: every fifth rating is for test, the one after for validation."""
    turn = np.arange(films.n_ratings) % 5
    return {"train": films.keep(turn > 1), "validation": films.keep(turn == 1), "test": films.keep(turn == 0)}


@pytest.fixture
def run_path(films, tmp_path):
    write_run(tmp_path / "run", Popularity().fit(films), {"all": films}, STRONG, {"note": "é"})
    return tmp_path / "run"


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
    assert list(found.users) == list(expected.users)
    assert list(found.items) == list(expected.items)
    for name in ("item_names", "item_genres"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        assert one is None or one.to_dict() == other.to_dict()


# ---------------------------------------------------------------------- how data is split


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("strong", {"n_users": 5, "seed": 3}),
        ("random", {"seed": 2, "per_user": True}),
        ("last", {"seed": 3}),
        ("temporal", {"test_fraction": 0.3}),
    ],
)
def test_a_plan_splits_as_its_splitter_does(films, kind, parameters):
    found = SplitPlan(kind, parameters).apply({"all": films})
    expected = SPLITTERS[kind](**parameters).split(films)
    assert_same(found.train, expected.train)
    assert_same(found.validation.target, expected.validation.target)
    assert_same(found.test.history, expected.test.history)
    assert_same(found.test.target, expected.test.target)


def test_nothing_is_held_out_by_none(films, parts):
    assert SplitPlan("none").apply({"all": films}) is None
    assert SplitPlan("none").apply(parts) is None


def test_given_parts_are_taken_as_they_are(parts):
    found = SplitPlan("given").apply(parts)
    assert_same(found.train, parts["train"])
    assert_same(found.validation.target, parts["validation"])
    assert_same(found.test.history, parts["train"])
    assert_same(found.test.target, parts["test"])
    assert_same(found.test.exclude, parts["validation"])


def test_a_given_split_may_lack_validation(parts):
    found = SplitPlan("given").apply({"train": parts["train"], "test": parts["test"]})
    assert found.validation is None
    assert_same(found.test.target, parts["test"])


def test_the_whole_of_parts_is_what_they_were_cut_from(films, parts):
    assert whole({"all": films}) is films
    assert_same(whole(parts), films)


@pytest.mark.parametrize(("written", "seed"), [({}, None), ({"validation": False}, None), ({"seed": 4}, 4)])
def test_a_run_of_version_0_1_keeps_the_split_it_was_trained_with(tmp_path, written, seed):
    run = Run(tmp_path, {"split": {"kind": "last", "parameters": written}, "parts": ["all"]})
    assert run.plan.parameters == {"seed": seed, **written}


def test_a_plan_tells_its_parameters():
    assert str(STRONG) == "strong (n_users=5, seed=3)"
    assert str(SplitPlan("none")) == "none"


# ---------------------------------------------------------------------- what goes in comes out


def test_a_run_comes_back(films, run_path):
    run = read_run(run_path)
    assert run.description["note"] == "é"
    assert run.plan == STRONG
    assert list(run.parts) == ["all"]
    assert_same(run.data, films)
    assert isinstance(run.model, Popularity)
    np.testing.assert_array_equal(run.model.score_items(films), Popularity().fit(films).score_items(films))
    assert_same(run.split.test.target, STRONG.apply({"all": films}).test.target)


def test_a_run_on_given_parts_comes_back(films, parts, tmp_path):
    write_run(tmp_path / "run", Popularity().fit(parts["train"]), parts, SplitPlan("given"), {})
    run = read_run(tmp_path / "run")
    assert list(run.parts) == ["train", "validation", "test"]
    assert_same(run.data, films)
    assert_same(run.split.validation.target, parts["validation"])
    assert_same(run.split.test.target, parts["test"])


def test_model_and_data_are_read_only_when_asked_for(run_path):
    shutil.rmtree(run_path / "model")
    shutil.rmtree(run_path / "data")
    run = read_run(run_path)
    assert run.plan == STRONG
    with pytest.raises(FileNotFoundError, match="no model in"):
        run.model
    with pytest.raises(FileNotFoundError, match=r"all\.json does not exist"):
        run.data


def test_models_that_learn_in_epochs_leave_their_history(films, run_path, tmp_path):
    model = MultDAE(hidden=4, epochs=2, progress=False).fit(films)
    write_run(tmp_path / "neural", model, {"all": films}, SplitPlan("none"), {})
    found = pd.read_csv(tmp_path / "neural" / "history.csv")
    pd.testing.assert_frame_equal(found, model.history_, check_dtype=False)
    assert list(found["epoch"]) == [1, 2]
    assert not (run_path / "history.csv").exists()


def test_a_run_holds_data_only(run_path):
    files = {path.relative_to(run_path).as_posix() for path in run_path.rglob("*") if path.is_file()}
    assert {"run.json", "model/model.json", "data/all.json"} <= files
    assert {name.rpartition(".")[2] for name in files} == {"json", "safetensors"}


def test_others_may_read_a_run(run_path):
    assert run_path.stat().st_mode & 0o777 == 0o755


def test_a_run_is_found_below_the_home_folder(run_path, monkeypatch):
    monkeypatch.setenv("HOME", str(run_path.parent))
    monkeypatch.setenv("USERPROFILE", str(run_path.parent))
    assert read_run("~/run").plan == STRONG


# ---------------------------------------------------------------------- where a run may be written


def test_folders_above_are_made(films, tmp_path):
    target = tmp_path / "a" / "b" / "run"
    write_run(target, Popularity().fit(films), {"all": films}, STRONG, {})
    assert [path.name for path in target.parent.iterdir()] == ["run"]


def test_an_empty_folder_may_be_filled(films, tmp_path):
    write_run(tmp_path, Popularity().fit(films), {"all": films}, STRONG, {}, overwrite=True)
    assert read_run(tmp_path).plan == STRONG


def test_a_run_is_replaced_only_where_that_is_asked_for(films, run_path):
    with pytest.raises(DataError, match=r"run holds a run already; .*--overwrite"):
        write_run(run_path, Popularity().fit(films), {"all": films}, STRONG, {"note": "new"})
    assert read_run(run_path).description["note"] == "é"
    write_run(run_path, Popularity().fit(films), {"all": films}, STRONG, {"note": "new"}, overwrite=True)
    assert read_run(run_path).description["note"] == "new"
    assert [path.name for path in run_path.parent.iterdir()] == ["run"]


def test_nothing_of_the_replaced_run_stays(films, tmp_path):
    model = MultDAE(hidden=4, epochs=1, progress=False).fit(films)
    write_run(tmp_path / "run", model, {"all": films}, STRONG, {})
    write_run(tmp_path / "run", Popularity().fit(films), {"all": films}, STRONG, {}, overwrite=True)
    assert not (tmp_path / "run" / "history.csv").exists()
    assert isinstance(read_run(tmp_path / "run").model, Popularity)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="holds something other than a run"):
        check_run_path(tmp_path, overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_never_replaced(tmp_path, overwrite):
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(DataError, match="is a file; a run is saved as a folder"):
        check_run_path(path, overwrite)
    with pytest.raises(DataError, match=r"cannot be made: .*file is a file"):
        check_run_path(path / "run", overwrite)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(runs.os, "access", lambda folder, mode: asked.append((folder, mode)))
    with pytest.raises(PermissionError, match="no permission to write into"):
        check_run_path(tmp_path / "a" / "b")
    assert asked == [(tmp_path, runs.os.W_OK)]


def test_checking_makes_nothing(tmp_path):
    assert check_run_path(tmp_path / "a" / "run") == tmp_path / "a" / "run"
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- all of it or nothing


def stopped(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["write_header", "save_interactions", "replace_folder"])
def test_a_write_that_is_stopped_leaves_nothing(films, tmp_path, monkeypatch, step):
    monkeypatch.setattr(runs, step, stopped)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path / "run", Popularity().fit(films), {"all": films}, STRONG, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["write_header", "save_interactions", "replace_folder"])
def test_a_write_that_is_stopped_leaves_the_previous_run(films, run_path, monkeypatch, step):
    monkeypatch.setattr(runs, step, stopped)
    with pytest.raises(KeyboardInterrupt):
        write_run(run_path, Popularity().fit(films), {"all": films}, STRONG, {"note": "new"}, overwrite=True)
    assert [path.name for path in run_path.parent.iterdir()] == ["run"]
    assert read_run(run_path).description["note"] == "é"


def test_where_the_new_run_cannot_take_its_place_the_old_one_comes_back(films, run_path, monkeypatch):
    rename = runs.Path.rename

    def failing(self, target):
        if self.suffix == ".part":
            raise OSError("device is gone")
        return rename(self, target)

    monkeypatch.setattr(runs.Path, "rename", failing)
    with pytest.raises(OSError, match="device is gone"):
        write_run(run_path, Popularity().fit(films), {"all": films}, STRONG, {"note": "new"}, overwrite=True)
    assert [path.name for path in run_path.parent.iterdir()] == ["run"]
    assert read_run(run_path).description["note"] == "é"


def test_what_json_cannot_hold_leaves_nothing(films, tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_run(tmp_path / "run", Popularity().fit(films), {"all": films}, STRONG, {"cost": float("nan")})
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- what is no run


def test_where_there_is_no_run_the_way_to_one_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no run in .*run\.json does not exist; make one: aerec train"):
        read_run(tmp_path)


def test_a_model_alone_is_no_run(films, tmp_path):
    Popularity().fit(films).save(tmp_path)
    with pytest.raises(FileNotFoundError, match="it holds a model without its data"):
        read_run(tmp_path)


def rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_an_edited_description_is_refused(run_path):
    rewrite(run_path / "run.json", note="better")
    with pytest.raises(ModelFileError, match=r"run\.json was altered after it was saved"):
        read_run(run_path)


def test_a_description_cut_short_is_refused(run_path):
    path = run_path / "run.json"
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ModelFileError, match=r"run\.json is damaged"):
        read_run(run_path)


def test_a_newer_run_asks_for_a_newer_aerec(run_path):
    rewrite(run_path / "run.json", format_version=FORMAT_VERSION + 1)
    with pytest.raises(ModelFileError, match="upgrade aerec"):
        read_run(run_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"split": {"kind": "weekly", "parameters": {}}},
        {"split": None},
        {"split": "strong"},
        {"parts": ["all", "../../secret"]},
        {"parts": 3},
        {"parts": []},
        {"parts": ["train"]},
        {"parts": ["all", "all"]},
        {"parts": [["all"]]},
        {"split": {"kind": "given", "parameters": {}}},
        {"split": {"kind": "strong", "parameters": []}},
        {"split": {"kind": "strong", "parameters": {"n_users": 1, "nope": 1}}},
        {"split": {"kind": "random", "parameters": {"fraction": -1}}},
        {"model": []},
        {"model": {"name": 5}},
        {"data": 5},
    ],
    ids=str,
)
def test_a_description_of_no_run_that_is_known_is_refused(run_path, changes):
    content = {key: value for key, value in read_header(run_path, "run").items() if key != "kind"}
    write_header(run_path, "run", {**content, **changes})
    with pytest.raises(ModelFileError, match="does not describe a run that this aerec knows"):
        read_run(run_path)


@pytest.mark.parametrize(("at", "index"), [(0, -1), (-1, 2**31 - 1)])
def test_a_model_with_weights_out_of_the_catalogue_is_refused(films, tmp_path, at, index):
    write_run(tmp_path / "run", ItemKNN().fit(films), {"all": films}, STRONG, {})
    header, tensors = read_folder(tmp_path / "run" / "model", "model")
    tensors["weights_.indices"][at] = index
    content = {name: header[name] for name in ("model", "parameters", "n_items", "state")}
    write_folder(tmp_path / "run" / "model", "model", content, tensors)
    with pytest.raises(ModelFileError, match="does not fit the ItemKNN of this aerec"):
        read_run(tmp_path / "run").model


@pytest.mark.parametrize("path", [".", "..", "../here"])
def test_the_folder_one_is_in_is_not_replaced(tmp_path, monkeypatch, path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataError, match="the folder that you are in"):
        check_run_path(path, overwrite=True)
