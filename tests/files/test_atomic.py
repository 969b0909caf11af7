import os

import pytest

from aerec.files.atomic import atomic_write, replace_folder, temporary_folder


def test_an_error_while_writing_leaves_the_old_content_and_no_litter(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half():
        with atomic_write(target) as stream:
            stream.write("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_until_the_block_ends_readers_see_the_old_content(tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with atomic_write(target, "wb") as stream:
        stream.write(b"new")
        stream.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="has no umask")
@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o027, 0o640, 0o750), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)]
)
def test_permissions_are_those_of_any_new_file(tmp_path, umask, file, folder):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "file") as stream:
            stream.write("new")
        replace_folder(temporary_folder(tmp_path / "folder"), tmp_path / "folder")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == file
    assert (tmp_path / "folder").stat().st_mode & 0o777 == folder


def test_a_folder_that_cannot_be_made_is_named_itself(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(PermissionError, match=r"not written, Permission denied: '\S*/run'"):
        temporary_folder(tmp_path / "run")
