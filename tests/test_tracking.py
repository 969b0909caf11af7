"""Trackers: lines of JSON that survive being cut off, what TensorBoard and MLflow read back, the missing extra."""

import json
import sys

import pytest

from aerec.datasets import load_dataset
from aerec.errors import MissingExtraError
from aerec.models import EASE, MultDAE
from aerec.splitting import StrongGeneralization
from aerec.tracking import JSONLines, MLflow, TensorBoard
from aerec.training.callbacks import Callback


@pytest.fixture(scope="module")
def split():
    return StrongGeneralization(n_users=100, seed=1).split(load_dataset("sample").binarize(4.0))


def model(**changes):
    return MultDAE(**{"hidden": 4, "epochs": 3, "progress": False, **changes})


class Stop(Exception):
    pass


class StopAfter(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def epoch_done(self, record, model):
        if record["epoch"] == self.epoch:
            raise Stop


def interrupted_and_resumed(split, tmp_path, make):
    with pytest.raises(Stop):
        model().fit(split.train, split.validation, checkpoint=tmp_path / "kept", callbacks=[make(), StopAfter(2)])
    return model().fit(split.train, split.validation, checkpoint=tmp_path / "kept", callbacks=[make()])


# ---------------------------------------------------------------------- lines of JSON


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_line_is_a_row_of_the_history_and_there_at_once(split, tmp_path):
    path, seen = tmp_path / "logs" / "history.jsonl", []

    class Reader(Callback):
        def epoch_done(self, record, model):
            seen.append(len(lines(path)))

    fitted = model().fit(split.train, split.validation, callbacks=[JSONLines(path), Reader()])
    assert lines(path) == fitted.history_.to_dict(orient="records")
    assert seen == [1, 2, 3]


def test_no_epoch_is_doubled_or_missing_after_a_resumption(split, tmp_path):
    path = tmp_path / "history.jsonl"
    fitted = interrupted_and_resumed(split, tmp_path, lambda: JSONLines(path))
    assert lines(path) == fitted.history_.to_dict(orient="records")


def test_a_line_that_was_cut_off_is_dropped(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1, "cost": 2.0}\n{"epoch": 2, "cost": 1.5}\n{"epoch": 3, "co')
    log = JSONLines(path)
    log.epoch_done({"epoch": 3, "cost": 1.0}, None)
    log.training_done(None, finished=True)
    assert [(one["epoch"], one["cost"]) for one in lines(path)] == [(1, 2.0), (2, 1.5), (3, 1.0)]


def test_a_new_training_begins_a_new_file(split, tmp_path):
    path = tmp_path / "history.jsonl"
    for epochs in (3, 2):
        model(epochs=epochs).fit(split.train, callbacks=[JSONLines(path)])
    assert [one["epoch"] for one in lines(path)] == [1, 2]


# ---------------------------------------------------------------------- TensorBoard


def curves(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_every_epoch_once_and_what_was_measured(split, tmp_path):
    pytest.importorskip("tensorboard")
    fitted = interrupted_and_resumed(split, tmp_path, lambda: TensorBoard(tmp_path / "board"))
    TensorBoard(tmp_path / "board").measured({"ndcg@100": 0.25}, fitted)
    found = curves(tmp_path / "board")
    assert [step for step, _ in found["epoch/cost"]] == [1, 2, 3]
    assert [value for _, value in found["epoch/ndcg_at_100"]] == pytest.approx(fitted.history_["ndcg@100"].tolist())
    assert found["test/ndcg_at_100"] == [(0, 0.25)]


def test_a_new_training_replaces_the_curves_in_its_folder(split, tmp_path):
    pytest.importorskip("tensorboard")
    for epochs in (3, 2):
        model(epochs=epochs).fit(split.train, callbacks=[TensorBoard(tmp_path)])
    assert [step for step, _ in curves(tmp_path)["epoch/cost"]] == [1, 2]


# ---------------------------------------------------------------------- MLflow


@pytest.fixture
def uri(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes ten seconds to be made
    return (tmp_path / "mlflow").as_uri()


def test_mlflow_holds_one_run_with_parameters_epochs_and_test_metrics(split, tmp_path, uri):
    from mlflow.tracking import MlflowClient

    tracker = MLflow(uri, name="mine", keep=tmp_path / "kept" / "mlflow-run")
    fitted = interrupted_and_resumed(
        split, tmp_path, lambda: MLflow(uri, name="mine", keep=tmp_path / "kept" / "mlflow-run")
    )
    tracker.measured({"recall@20": 0.5}, fitted)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("aerec").experiment_id])
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert (run.data.params["model"], run.data.params["noise"]) == ("MultDAE", repr(MultDAE().noise))
    points = client.get_metric_history(run.info.run_id, "ndcg_at_100")
    assert sorted({(one.step, one.value) for one in points}) == list(enumerate(fitted.history_["ndcg@100"], start=1))
    assert run.data.metrics["test.recall_at_20"] == 0.5


def test_models_without_epochs_have_their_test_metrics_tracked(split, tmp_path, uri):
    from mlflow.tracking import MlflowClient

    tracker = MLflow(uri, experiment="closed forms")
    tracker.measured({"recall@20": 0.5}, EASE(l2=7.0).fit(split.train))
    run = MlflowClient(uri).get_run(tracker.run_id)
    assert {"model": "EASE", "l2": "7.0"}.items() <= run.data.params.items()
    assert run.info.status == "FINISHED"


# ---------------------------------------------------------------------- without the extra


@pytest.mark.parametrize(
    ("package", "make"),
    [("tensorboard", lambda path: TensorBoard(path)), ("mlflow", lambda path: MLflow())],
    ids=["tensorboard", "mlflow"],
)
def test_without_the_package_the_pip_line_is_given(split, tmp_path, monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[track\]'"):
        model().fit(split.train, callbacks=[make(tmp_path)])
