"""What fuzzing and thinking found, each as one input that must stay refused."""

import contextlib
import gzip
import io
import json
import struct
import zipfile
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from targets import TARGETS, folder_with, pack, signed, unpack

from aerec import Interactions, load_model
from aerec.datasets import generate_interactions, read_ratings
from aerec.datasets.catalogue import Card
from aerec.datasets.saved import load_interactions
from aerec.errors import DataError, ModelFileError
from aerec.files.storage import read_header
from aerec.models import CDAE
from aerec.recommender.saving import training_identity
from aerec.stored_ids import decode_index
from aerec.system.memory import peak_memory


@cache
def good_input(name, number=0):
    made = TARGETS[name][1][number]
    return made() if callable(made) else made


@contextlib.contextmanager
def little_memory(megabytes=400):
    before = peak_memory()
    yield
    if before is not None:
        assert peak_memory() - before < megabytes * 2**20


def refused(message, files, name, **given):
    with folder_with(files) as folder, little_memory(), pytest.raises(DataError, match=message) as raised:
        read_ratings(folder / name, **given)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------------- readers


def test_ids_of_ten_digits_make_no_long_matrix():
    with folder_with({"train.txt": b"4000000000 9223372036854775806\n7 4000000000\n"}) as folder, little_memory():
        assert read_ratings(folder / "train.txt").shape == (2, 2)


def test_rows_of_many_empty_fields():
    header = ",".join(["user", "item", "rating", *(f"c{at}" for at in range(5_000))])
    refused("5,003 fields in a line", {"wide.csv": f"{header}\n{'1,2,3' + chr(10)}".encode() * 2}, "wide.csv")


def test_a_line_of_blanks_between_blanks():
    given = {"columns": ("user", "item", "rating"), "timestamp": None}
    refused("the id is missing", {"mine.txt": b"1 2 3\n   \n"}, "mine.txt", **given)


def test_an_archive_that_lies_about_its_size():
    """Its directory says that gigabytes were packed, so that the ratio looks harmless."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        inner = gzip.compress(b"0" * (90 << 20))
        archive.writestr("ratings.csv.gz", inner)
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02")
    data[at + 20 : at + 24] = struct.pack("<I", 2**31)
    with (
        folder_with({"x.zip": bytes(data)}) as folder,
        little_memory(),
        pytest.raises(DataError, match=r"bomb|damaged"),
    ):
        read_ratings(folder / "x.zip")


def test_a_member_packed_by_a_method_that_is_broken():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ratings.csv", "userId,movieId,rating\n1,2,3\n")
    data = bytearray(buffer.getvalue())
    data[30 + len("ratings.csv") + 9 + 4] ^= 0xFF
    refused("damaged", {"x.zip": bytes(data)}, "x.zip")


@pytest.mark.parametrize("text", [False, True])
def test_parquet_bombs(text):
    pytest.importorskip("pyarrow")
    n = 3_000_000 if not text else 30_000
    frame = pd.DataFrame({"user": np.zeros(n, np.int64), "item": 0, "rating": 1.0})
    if text:
        frame["user"] = "x" * 20_000
    buffer = io.BytesIO()
    frame.to_parquet(buffer, compression="zstd")
    assert len(buffer.getvalue()) < 50_000
    del frame
    refused("refused as a decompression bomb", {"x.parquet": buffer.getvalue()}, "x.parquet")


def test_parquet_columns_of_lists():
    pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    pd.DataFrame({"user": [[1], [2]], "item": [1, 2], "rating": [1.0, 2.0]}).to_parquet(buffer)
    refused("column 'user' holds list", {"x.parquet": buffer.getvalue()}, "x.parquet")


def test_a_device_and_a_folder_in_a_loop(tmp_path):
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_ratings("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises((DataError, OSError)):
        read_ratings(tmp_path)


def test_a_hidden_file_is_read_where_it_is_named():
    with folder_with({".mine.csv": b"user,item,rating\n1,2,3\n"}) as folder:
        assert read_ratings(folder / ".mine.csv").shape == (1, 1)


# ---------------------------------------------------------------------- models


def forged(kind, data, changes, tensors=None):
    given, payload = unpack(data)
    return signed(kind, *unpack(pack({**given, **changes}, payload if tensors is None else tensors)))


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"n_items": 10**10}),
        (2, {"n_items": 10**12}),
        (0, {"n_items": -1}),
        (4, {"parameters": {"hidden": 10**6}}),
        (4, {"parameters": {"hidden": {"tuple": [10**9, 10**9]}}}),
        (5, {"parameters": {"hidden": {"tuple": [10**5, 10**5]}}}),
        (4, {"parameters": {"seed": 2**70}}),
        (0, {"parameters": {"l2": {"choice": "os.system", "fields": {"command": "true"}}}}),
    ],
)
def test_a_small_model_that_claims_to_be_large_or_something_else(number, changes):
    files = forged("model", good_input("model", number), changes)
    with folder_with(files) as folder, little_memory(), pytest.raises(ModelFileError, match="does not fit"):
        load_model(folder)


def test_a_network_larger_than_its_weights():
    data = good_input("model", 4)
    given, payload = unpack(data)
    state = {**given["state"], "n_inputs": 10**9, "n_users": 10**9}
    files = forged("model", data, {"state": state}, payload)
    with folder_with(files) as folder, little_memory(), pytest.raises(ModelFileError, match="larger network"):
        load_model(folder)


def test_a_header_of_tensors_that_claims_a_huge_shape():
    tensors = json.dumps({"weights_": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 8]}}).encode()
    payload = struct.pack("<Q", len(tensors)) + tensors + bytes(8)
    files = forged("model", good_input("model", 0), {}, payload)
    with folder_with(files) as folder, little_memory(), pytest.raises(ModelFileError, match="cannot be read"):
        load_model(folder)


@pytest.mark.parametrize("offsets", [[0, 4, 0, 4, 4], [0, -1, 4], [0, 2], [1, 4], [0.0, 4.0], [[0, 4]]])
def test_ids_whose_offsets_overlap(offsets):
    tensors = {"items.text": np.frombuffer(b"abcd", np.uint8), "items.offsets": np.array(offsets)}
    with pytest.raises(ValueError, match="consecutive"):
        decode_index(tensors, "items")


def test_genres_whose_offsets_overlap():
    from safetensors.numpy import load, save

    given, payload = unpack(good_input("interactions", 0))
    tensors = load(payload)
    tensors["genre_offsets"][1::2] = 0
    files = signed("interactions", given, save(tensors))
    with folder_with(files) as folder, pytest.raises(ModelFileError, match="does not hold interactions"):
        load_interactions(folder)


def test_a_header_nested_deeper_than_python_goes():
    for depth in (500, 900, 2000, 50_000):
        with (
            folder_with({"model.json": b'{"format_version": 1, "a": ' + b"[" * depth + b"]" * depth + b"}"}) as folder,
            pytest.raises(ModelFileError),
        ):
            read_header(folder, "model")


# ---------------------------------------------------------------------- checkpoints


def drop(name):
    def change(tensors):
        del tensors[name]

    return change


def shorten(name):
    def change(tensors):
        tensors[name] = tensors[name][:1].copy()

    return change


@pytest.mark.parametrize(
    ("header", "change"),
    [
        ({}, drop("trainer.optimizer.0.0.exp_avg_sq")),
        ({}, drop("trainer.optimizer.0.0.exp_avg")),
        ({}, shorten("trainer.optimizer.0.0.exp_avg")),
        ({}, shorten("trainer.order")),
        ({"state": {"trainer.epoch": 1, "trainer.step": -3}}, None),
        ({"state": {"trainer.epoch": 1}}, None),
        ({"state": {"trainer.epoch": 1, "trainer.step": "x"}}, None),
        ({"state": 5}, None),
        ({"records": [{"epoch": 7, "cost": 1.0}]}, None),
        ({"records": None}, None),
    ],
)
def test_a_signed_checkpoint_that_does_not_fit(header, change):
    from safetensors.numpy import load, save

    given, payload = unpack(good_input("checkpoint", 0))
    tensors = load(payload)
    if change is not None:
        change(tensors)
    likes = generate_interactions(30, 20, 150, seed=0).binarize()
    model = CDAE(hidden=3, epochs=2, batch_size=40, progress=False)
    given |= {**header, "identity": training_identity(model, likes, None)}
    with (
        folder_with(signed("checkpoint", given, save(tensors))) as folder,
        pytest.raises(ModelFileError, match=r"does not fit .*; delete it"),
    ):
        model.fit(likes, checkpoint=folder)


# ---------------------------------------------------------------------- the catalogue


GOOD = {
    "name": "x",
    "title": "X",
    "folders": ["x"],
    "format": "csv",
    "licence": "none",
    "homepage": "https://example.org",
    "citation": "X",
    "statistics": {"users": 1, "items": 2, "ratings": 3},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"folders": ["../../etc"]},
        {"folders": ["/etc"]},
        {"folders": [".."]},
        {"folders": [7]},
        {"folders": None},
        {"name": "../x"},
        {"name": "a/b"},
        {"title": 3},
        {"address": ["https://example.org"]},
        {"statistics": {"users": "many", "items": 2, "ratings": 3}},
        {"statistics": None},
        {"statistics": {}},
        {"surprise": 1},
    ],
)
def test_cards_that_are_wrong_or_lead_elsewhere(changes):
    assert Card.from_toml(GOOD).name == "x"
    with pytest.raises(DataError, match="the card of"):
        Card.from_toml({**GOOD, **changes})


def test_values_that_no_table_holds():
    odd = SimpleNamespace()
    for values in ([[1], [2]], [odd, odd], [{}, {}]):
        with pytest.raises((DataError, TypeError)):
            Interactions.from_frame(pd.DataFrame({"user": values, "item": [1, 2], "rating": [1.0, 2.0]}))


def test_an_archive_with_a_file_without_a_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("x", "user,item,rating\n1,2,5\n")
    content = (tmp_path / "mine.zip").read_bytes()
    at = content.index(b"PK\x01\x02")
    forged = content[: at + 28] + b"\0\0" + content[at + 30 :].replace(b"x", b"", 1)
    end = forged.rindex(b"PK\x05\x06")
    size = (int.from_bytes(forged[end + 12 : end + 16], "little") - 1).to_bytes(4, "little")
    (tmp_path / "mine.zip").write_bytes(forged[: end + 12] + size + forged[end + 16 :])
    with pytest.raises(DataError, match=r"mine\.zip"):
        read_ratings(tmp_path / "mine.zip")
