"""Where exports may be written."""

from pathlib import Path

import pytest

from aerec.errors import DataError
from aerec.export.target import check_file


def test_a_file_in_a_folder_that_is_there(tmp_path, monkeypatch):
    assert check_file(tmp_path / "model.onnx") == tmp_path / "model.onnx"
    (tmp_path / "old.onnx").touch()
    assert check_file(str(tmp_path / "old.onnx")) == tmp_path / "old.onnx"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_file("~/model.onnx") == Path(tmp_path / "model.onnx")


def test_folders_and_files_in_no_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder; give the path of a file"):
        check_file(tmp_path)
    with pytest.raises(DataError, match=r"cannot be written: .*gone is no folder"):
        check_file(tmp_path / "gone" / "model.onnx")
