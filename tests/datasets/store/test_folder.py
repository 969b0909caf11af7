"""Stores: mapped, not loaded, all the way into the batches; damage is found."""

import json

import numpy as np
import pytest

from aerec.datasets import generate_interactions, import_parquet, open_store, read_ratings
from aerec.datasets.store.folder import is_store, store_of
from aerec.errors import DataError, ModelFileError
from aerec.files.memmap import is_mapped, mapped_file
from aerec.files.storage import write_header
from aerec.models import ELSA, MultDAE
from aerec.network.rows import MappedRows
from aerec.splitting import StrongGeneralization


@pytest.fixture(scope="module")
def films():
    return generate_interactions(150, 60, 2600, seed=3)


@pytest.fixture(scope="module")
def path(films, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    films.to_frame().to_parquet(folder / "films.parquet")
    import_parquet(folder / "films.parquet", folder / "store", threshold=4.0)
    return folder / "store"


@pytest.fixture
def copied(path, tmp_path):
    for file in path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_the_matrix_is_a_view_of_the_files(path):
    data = open_store(path, verify=True)
    assert [mapped_file(getattr(data.matrix, name)) for name in ("data", "indices")] == [
        path / "data.npy",
        path / "indices.npy",
    ]
    assert mapped_file(data.timestamps) == path / "timestamps.npy"
    assert not data.matrix.data.flags.writeable


def test_a_store_is_known_by_what_is_mapped_from_it(path, films):
    data = open_store(path)
    assert store_of(data) == (path.resolve(), json.loads((path / "store.json").read_text())["fingerprint"])
    assert store_of(films) is None
    assert store_of(data.take_users(np.arange(10))) is None
    assert store_of(read_ratings(path, timestamp=None)) is None
    assert is_store(path)
    assert not is_store(path.parent)


def test_a_store_has_nothing_to_add_up(path):
    with pytest.warns(UserWarning, match="holds one rating of a user and item: duplicates='sum' changes nothing"):
        assert read_ratings(path, duplicates="sum").n_ratings == read_ratings(path).n_ratings


def test_a_store_is_read_as_told(path):
    assert read_ratings(path, timestamp=None).timestamps is None
    assert read_ratings(path, rating=None).n_ratings == open_store(path).n_ratings
    with pytest.raises(DataError, match="has no column 'stars'"):
        read_ratings(path, rating="stars")


def test_filters_that_leave_nothing_out_copy_nothing(path):
    data = open_store(path)
    assert data.filter(1, 1) is data


def test_models_read_mapped_rows_and_learn_the_same(path):
    mapped = open_store(path)
    loaded = type(mapped)(mapped.matrix.copy(), mapped.users, mapped.items)
    assert not is_mapped(loaded.matrix.data)
    for model in (MultDAE(hidden=8, epochs=2, progress=False), ELSA(n_factors=4, epochs=2, progress=False)):
        assert isinstance(model._training_rows(mapped.matrix), MappedRows)
        weights = [model.fit(data).coefs_ for data in (mapped, loaded)]
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(model.transform(mapped), model.transform(loaded))


def test_users_taken_from_much_mapped_data_are_mapped_too(path, monkeypatch):
    data = open_store(path)
    loaded = type(data)(data.matrix.copy(), data.users, data.items, data.timestamps.copy())
    monkeypatch.setattr("aerec.sparse._BLOCK", 50)
    split, expected = (StrongGeneralization(20, seed=1).split(one) for one in (data, loaded))
    assert is_mapped(split.train.matrix.data)
    assert is_mapped(split.train.timestamps)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(split.train.matrix, name), getattr(expected.train.matrix, name))
    np.testing.assert_array_equal(split.train.timestamps, expected.train.timestamps)
    assert split.test.target.users.equals(expected.test.target.users)
    assert sorted(file.suffix for file in path.iterdir()) == sorted([".npy"] * 4 + [".parquet"] * 2 + [".json"])


@pytest.mark.parametrize("name", ["data.npy", "users.parquet", "indptr.npy"])
def test_a_missing_or_shortened_file_is_named(copied, name):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match=rf"{name} has .* bytes instead of"):
        open_store(copied)
    (copied / name).unlink()
    with pytest.raises(ModelFileError, match=f"{name} is missing"):
        open_store(copied)


def test_an_altered_byte_is_found_when_asked_for(copied):
    content = bytearray((copied / "data.npy").read_bytes())
    content[-1] ^= 1
    (copied / "data.npy").write_bytes(content)
    with pytest.raises(ModelFileError, match="was altered"):
        open_store(copied, verify=True)


def test_an_altered_header_is_found(copied):
    header = json.loads((copied / "store.json").read_text())
    (copied / "store.json").write_text(json.dumps({**header, "n_users": 3}))
    with pytest.raises(ModelFileError, match="altered"):
        open_store(copied)


def test_the_checkpoint_of_a_store_is_bound_to_it(path, tmp_path):
    data = open_store(path)
    model = MultDAE(hidden=4, epochs=2, progress=False)
    model.fit(data, checkpoint=tmp_path / "kept")
    first = [weight.copy() for weight in model.coefs_]
    model.fit(data, checkpoint=tmp_path / "kept")  # all epochs are done already
    assert all(np.array_equal(one, other) for one, other in zip(first, model.coefs_, strict=True))


NPY_HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (7,",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**9,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (7,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (7,), }",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (7,), }",
    "{'descr': '<c8', 'fortran_order': False, 'shape': (7,), }",
    "{'shape': (-1,)}",
    '"' * 3,
    "(" * 50,
    "\\",
    "",
]


@pytest.mark.parametrize("name", ["data.npy", "indices.npy", "indptr.npy", "timestamps.npy"])
@pytest.mark.parametrize("header", NPY_HEADERS)
def test_a_forged_header_of_an_array_is_refused(copied, name, header):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:10] + header.encode().ljust(117) + b"\n" + content[128:])
    with pytest.raises(ModelFileError, match="import the ratings again"):
        open_store(copied)


@pytest.mark.parametrize("name", ["users.parquet", "items.parquet"])
def test_damaged_ids_are_refused(copied, name):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:40] + bytes(len(content) - 60) + content[-20:])
    with pytest.raises(ModelFileError, match="import the ratings again"):
        open_store(copied)


@pytest.mark.parametrize(("name", "kind"), [("timestamps", "<f8"), ("data", "<i4"), ("indices", "<u4")])
def test_an_array_of_another_type_than_was_written_is_refused(copied, name, kind):
    path = copied / f"{name}.npy"
    content = path.read_bytes()
    path.write_bytes(content.replace(np.load(path).dtype.str.encode(), kind.encode(), 1))
    with pytest.raises(ModelFileError, match=rf"{name}.npy holds {kind} instead of "):
        open_store(copied)


def test_a_store_of_before_types_were_noted_is_read(copied, path):
    header = json.loads((copied / "store.json").read_text())
    for known in header["files"].values():
        known.pop("dtype", None)
    write_header(copied, "store", {name: header[name] for name in header if name not in ("format_version", "sha256")})
    assert open_store(copied).n_ratings == open_store(path).n_ratings


def test_an_array_that_is_longer_than_its_header_says_is_refused(copied):
    path = copied / "timestamps.npy"
    content = path.read_bytes()
    times = np.load(path)
    path.write_bytes(content.replace(times.dtype.str.encode(), b"<i4", 1))  # half of the numbers, as many as ratings
    with pytest.raises(ModelFileError, match=r"timestamps.npy is longer than its header says"):
        open_store(copied)
