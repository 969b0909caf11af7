import pytest

from aerec.atomic import atomic_write


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
