"""`aerec export`: a run as an ONNX graph or an index, and bad input as one line."""

import json

import numpy as np
import pytest

from aerec import load_model
from aerec.runs.folder import read_run


def test_a_run_as_onnx(aerec, ease_run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    code, out, err = aerec("export", ease_run, "--format", "onnx", "--out", "ease.onnx")
    assert (code, err) == (0, "")
    assert out == "EASE of 60 items saved as ease.onnx\n"
    session = onnxruntime.InferenceSession(str(tmp_path / "ease.onnx"))
    history = read_run(ease_run).data.matrix[:5].toarray()
    (scores,) = session.run(None, {"history": history})
    np.testing.assert_allclose(scores, load_model(ease_run).score_items(history), atol=1e-4)


def test_a_run_as_an_index(aerec, films_path, tmp_path):
    usearch = pytest.importorskip("usearch.index")
    assert aerec("train", films_path, "--model", "pure-svd", "-s", "n_factors=4", "--out", "run").code == 0
    code, _, err = aerec("export", "run", "--format", "usearch", "--out", "items.usearch")
    assert (code, err) == (0, "")
    assert len(usearch.Index.restore(str(tmp_path / "items.usearch"))) == 60
    assert len(json.loads((tmp_path / "items.usearch.json").read_text())["items"]) == 60


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--format", "pickle", "--out", "x"], "unknown format 'pickle'; there are onnx, usearch"),
        (["--format", "onnx"], "Missing option '--out'"),
        (["--out", "x"], "Missing option '--format'"),
        (["--format", "usearch", "--out", "x"], "EASE has no vectors of items to export; those that have are ELSA"),
        (["--format", "onnx", "--out", "missing/x"], "missing is no folder"),
    ],
)
def test_words_that_cannot_be_used(refused, ease_run, words, reason):
    assert reason in refused("export", ease_run, *words)


def test_models_that_cannot_be_exported(refused, rating_run):
    assert "cannot be exported to ONNX" in refused("export", rating_run, "--format", "onnx", "--out", "x")


def test_a_run_that_is_not_there(refused):
    assert "no model in nowhere" in refused("export", "nowhere", "--format", "onnx", "--out", "x")
