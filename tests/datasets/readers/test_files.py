"""Folders, gzip and zip: read in place, and refused where they are damaged, hostile or encrypted."""

import gzip
import io
import stat
import zipfile

import pytest

from aerec.datasets import read_ratings
from aerec.datasets.readers import files as files_module
from aerec.datasets.readers.files import Files
from aerec.errors import DataError

TEXT = b"user,item,rating\n1,2,3\n"


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def content(files, name):
    with files.open(name) as stream:
        return stream.read()


def test_a_file_a_folder_and_an_archive_open_alike(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_bytes(TEXT)
    (folder / ".hidden").write_bytes(b"x")
    archive = make_zip(tmp_path / "some.zip", {"deep/er/a.csv": TEXT, "deep/.hidden": "x", "__MACOSX/b.csv": "x"})
    for path, pointed_at in ((folder / "a.csv", "a.csv"), (folder, None), (archive, None)):
        files, name = Files.at(path)
        assert name == pointed_at
        assert list(files.members) == ["a.csv"]
        assert content(files, "a.csv") == TEXT


def test_labels_lead_to_the_file(tmp_path):
    (tmp_path / "a.csv").write_bytes(TEXT)
    assert Files.at(tmp_path)[0].label("a.csv") == str(tmp_path / "a.csv")
    archive = make_zip(tmp_path / "some.zip", {"in/a.csv": TEXT})
    assert Files.at(archive)[0].label("a.csv") == f"{archive}:in/a.csv"


def test_find_takes_the_plain_file_or_the_gzipped_one(tmp_path):
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT))
    files, _ = Files.at(tmp_path)
    assert files.find("a.csv", "b.csv") == "b.csv.gz"
    assert files.find("a.csv") is None
    assert content(files, "b.csv.gz") == TEXT


def test_a_gzipped_file_in_an_archive_is_read(tmp_path):
    archive = make_zip(tmp_path / "some.zip", {"ratings.csv.gz": gzip.compress(TEXT)})
    assert read_ratings(archive).n_ratings == 1


def test_of_two_files_with_one_name_the_outer_one_counts(tmp_path):
    archive = make_zip(tmp_path / "some.zip", {"old/a.csv": b"old", "a.csv": TEXT})
    assert content(Files.at(archive)[0], "a.csv") == TEXT


def test_nothing_is_unpacked_to_disk(tmp_path):
    archive = make_zip(tmp_path / "some.zip", {"a.csv": TEXT})
    read_ratings(archive)
    assert list(tmp_path.iterdir()) == [archive]


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "member", ["../evil.csv", "a/../../evil.csv", "/etc/evil.csv", "C:/evil.csv", "..\\evil.csv", "C:\\evil.csv"]
)
def test_members_that_point_outside_are_refused(tmp_path, member):
    archive = make_zip(tmp_path / "some.zip", {"a.csv": TEXT, member: TEXT})
    with pytest.raises(DataError, match=r"evil\.csv', which points outside of the archive: refused"):
        read_ratings(archive)
    assert not (tmp_path.parent / "evil.csv").exists()


def test_links_in_an_archive_are_refused(tmp_path):
    link = zipfile.ZipInfo("ratings.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = make_zip(tmp_path / "some.zip", {link: "/etc/passwd"})
    with pytest.raises(DataError, match=r"'ratings\.csv', which is a link: refused"):
        read_ratings(archive)


@pytest.mark.parametrize("packed", ["zip", "gz"])
def test_bombs_are_refused(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(files_module, "ALWAYS_ALLOWED", 1 << 16)
    bomb = b"user,item,rating\n" + b"1,2,3\n" * 200_000
    if packed == "zip":
        path = make_zip(tmp_path / "bomb.zip", {"a.csv": bomb})
    else:
        path = tmp_path / "bomb.csv.gz"
        path.write_bytes(gzip.compress(bomb))
    with pytest.raises(DataError, match="refused as a decompression bomb; unpack it yourself"):
        read_ratings(path)


def test_a_zip_that_is_none_is_named(tmp_path):
    path = tmp_path / "some.zip"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"some\.zip is damaged or incomplete .*get the file again"):
        read_ratings(path)


def test_a_cut_off_zip_is_named(tmp_path):
    path = make_zip(tmp_path / "some.zip", {"a.csv": TEXT * 100})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"some\.zip is damaged or incomplete"):
        read_ratings(path)


def test_a_zip_with_a_flipped_byte_is_named(tmp_path):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", TEXT)
    path.write_bytes(path.read_bytes().replace(b"1,2,3", b"1,2,4"))
    with pytest.raises(DataError, match=r"some\.zip:a\.csv is damaged or incomplete .*CRC"):
        read_ratings(path)


@pytest.mark.parametrize("kept", [5, 30, -9])
def test_a_cut_off_gzip_is_named(tmp_path, kept):
    path = tmp_path / "a.csv.gz"
    rows = b"".join(b"%d,%d,3\n" % (at, at * at) for at in range(500))
    path.write_bytes(gzip.compress(b"user,item,rating\n" + rows)[:kept])
    with pytest.raises(DataError, match=r"a\.csv\.gz is damaged or incomplete"):
        read_ratings(path)


def test_a_gzip_that_is_none_is_named(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(TEXT)
    with pytest.raises(DataError, match=r"a\.csv\.gz is damaged or incomplete .*Not a gzipped file"):
        read_ratings(path)


def test_an_encrypted_archive_is_named(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", TEXT)
    packed = bytearray(stream.getvalue())
    packed[6] |= 1  # the flag "encrypted" of the member
    packed[packed.index(b"PK\x01\x02") + 8] |= 1  # and of its entry in the directory
    path = tmp_path / "some.zip"
    path.write_bytes(packed)
    with pytest.raises(DataError, match="is encrypted; unpack it with its password first"):
        read_ratings(path)
