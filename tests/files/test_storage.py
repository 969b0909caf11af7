"""Storage: whole or not at all, and every damage is named with its file."""

import json

import numpy as np
import pytest

from aerec.errors import DataError, ModelFileError
from aerec.files import storage
from aerec.files.storage import (
    FORMAT_VERSION,
    read_folder,
    read_header,
    write_folder,
    write_header,
)

HEADER = {"model": "EASE", "parameters": {"l2": 0.1, "name": "é", "none": None}}


def tensors(value=1.5):
    return {"weights": np.full((3, 2), value, dtype=np.float32), "ids": np.arange(5), "empty": np.empty((0, 4))}


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "saved", "model", HEADER, tensors())
    return tmp_path / "saved"


def tensor_file(folder):
    (found,) = folder.glob("model-*.safetensors")
    return found


# ---------------------------------------------------------------------- what goes in comes out


def test_header_and_tensors_come_back_bit_for_bit(folder):
    header, found = read_folder(folder, "model")
    assert {name: header[name] for name in HEADER} == HEADER
    assert header["format_version"] == FORMAT_VERSION
    assert found.keys() == tensors().keys()
    for name, value in tensors().items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_what_is_not_contiguous_is_stored_as_it_reads(tmp_path):
    value = np.arange(12.0).reshape(3, 4).T[::2]
    write_folder(tmp_path, "model", {}, {"value": value})
    np.testing.assert_array_equal(read_folder(tmp_path, "model")[1]["value"], value)


def test_saving_again_leaves_only_the_new_pair(folder):
    write_folder(folder, "model", {}, tensors(2.5))
    assert sorted(path.name for path in folder.iterdir()) == sorted(["model.json", tensor_file(folder).name])
    assert read_folder(folder, "model")[1]["weights"][0, 0] == 2.5


def test_two_kinds_live_in_one_folder(folder):
    write_folder(folder, "interactions", {"n": 1}, tensors(7.0))
    write_folder(folder, "model", HEADER, tensors(3.0))
    assert read_folder(folder, "interactions")[1]["weights"][0, 0] == 7
    assert read_folder(folder, "model")[1]["weights"][0, 0] == 3


def test_a_run_is_no_place_for_another_model(tmp_path):
    write_header(tmp_path, "run", {"model": {}})
    with pytest.raises(DataError, match=r"is a run, whose model belongs to its data.*another folder"):
        write_folder(tmp_path, "model", {}, {"x": np.zeros(2)})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_header_alone_comes_back(tmp_path):
    write_header(tmp_path, "run", {"epochs": [1, 2]})
    assert read_header(tmp_path, "run")["epochs"] == [1, 2]


def test_numbers_that_are_no_json_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_header(tmp_path, "run", {"cost": float("nan")})
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- whole or not at all


def test_a_save_that_stops_before_the_header_leaves_the_previous_model(folder, monkeypatch):
    def stopped(*_):
        raise OSError("no space left")

    monkeypatch.setattr(storage, "write_header", stopped)
    with pytest.raises(OSError, match="no space left"):
        write_folder(folder, "model", {}, tensors(9.0))
    header, found = read_folder(folder, "model")
    assert header["model"] == "EASE"
    assert found["weights"][0, 0] == 1.5


# ---------------------------------------------------------------------- damage


def test_tensors_cut_short_are_refused(folder):
    path = tensor_file(folder)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelFileError, match=rf"{path.name} is truncated or altered.*save the model again"):
        read_folder(folder, "model")


def test_one_changed_bit_is_refused(folder):
    path = tensor_file(folder)
    payload = bytearray(path.read_bytes())
    payload[-1] ^= 1
    path.write_bytes(payload)
    with pytest.raises(ModelFileError, match=rf"{path.name} is truncated or altered"):
        read_folder(folder, "model")


def test_missing_tensors_are_named(folder):
    path = tensor_file(folder)
    path.unlink()
    with pytest.raises(ModelFileError, match=rf"{path.name}, which is not in .*copy the whole folder"):
        read_folder(folder, "model")


def test_a_header_cut_short_is_refused(folder):
    path = folder / "model.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelFileError, match=r"model\.json is damaged"):
        read_folder(folder, "model")


HUGE, DEEP = '{"format_version": 1e999}', "[" * 100_000


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"text"', "null", '{"format_version": "new"}', "\xff", HUGE, DEEP], ids=range(9)
)
def test_a_header_that_is_none_is_refused(folder, text):
    (folder / "model.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFileError, match=r"model\.json is damaged"):
        read_folder(folder, "model")


def edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def sign(folder):
    """Give an edited header the checksum that belongs to it."""
    content = json.loads((folder / "model.json").read_text())
    content.pop("sha256")
    edit(folder, sha256=storage._digest(content))


def test_a_changed_header_is_refused(folder):
    edit(folder, parameters={"l2": 0.2})
    with pytest.raises(ModelFileError, match=r"model\.json was altered after it was saved"):
        read_folder(folder, "model")


@pytest.mark.parametrize("version", [0, -1, True, 1.5, "1", None, [1]])
def test_a_format_version_that_cannot_be_is_refused(folder, version):
    edit(folder, format_version=version)
    sign(folder)
    with pytest.raises(ModelFileError, match=r"model\.json is damaged: it is not a header of aerec"):
        read_folder(folder, "model")


def test_a_file_of_very_many_tensors_is_refused_before_they_are_made(tmp_path):
    write_folder(tmp_path, "model", HEADER, {f"tensor {at}": np.empty(0, np.float32) for at in range(10_000)})
    with pytest.raises(ModelFileError, match="lists more tensors than aerec writes"):
        read_folder(tmp_path, "model")


def test_a_newer_format_asks_for_a_newer_aerec(folder):
    edit(folder, format_version=FORMAT_VERSION + 1, aerec_version="99.0")
    with pytest.raises(
        ModelFileError, match=r"model\.json has format version 2, written by aerec 99\.0.*upgrade aerec"
    ):
        read_folder(folder, "model")


def test_tensors_that_the_header_does_not_name_are_refused(folder):
    edit(folder, tensors={})
    sign(folder)
    with pytest.raises(ModelFileError, match=r"model\.json names no tensor file"):
        read_folder(folder, "model")


def test_a_header_cannot_point_out_of_its_folder(folder):
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes(tensor_file(folder).read_bytes())
    named = json.loads((folder / "model.json").read_text())["tensors"]
    edit(folder, tensors={**named, "file": "../outside.safetensors"})
    sign(folder)
    with pytest.raises(ModelFileError, match="not in"):
        read_folder(folder, "model")


def test_a_tensor_file_of_another_kind_is_refused(folder):
    garbage = b"not a safetensors file"
    path = tensor_file(folder)
    path.write_bytes(garbage)
    edit(folder, tensors={"file": path.name, "sha256": storage.hashlib.sha256(garbage).hexdigest()})
    sign(folder)
    with pytest.raises(ModelFileError, match=rf"{path.name} cannot be read"):
        read_folder(folder, "model")


def test_a_folder_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model in"):
        read_folder(tmp_path / "nowhere", "model")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "model"
    path.write_text("x")
    with pytest.raises(DataError, match="is a file; a model is saved as a folder"):
        write_folder(path, "model", {}, tensors())
    assert path.read_text() == "x"


def test_a_kind_leaves_another_alone_whose_name_begins_alike(tmp_path):
    write_folder(tmp_path, "ratings-test", {}, {"x": np.zeros(2)})
    write_folder(tmp_path, "ratings", {}, {"x": np.ones(2)})
    write_folder(tmp_path, "ratings", {}, {"x": np.full(2, 2.0)})
    assert read_folder(tmp_path, "ratings-test")[1]["x"].tolist() == [0, 0]
    assert read_folder(tmp_path, "ratings")[1]["x"].tolist() == [2, 2]
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_a_path_that_is_empty_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="a model is saved as a folder, give its path"):
        write_folder("", "model", HEADER, tensors())
    assert not list(tmp_path.iterdir())
