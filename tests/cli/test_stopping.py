"""Notes for those who press Ctrl-C."""

import pytest

from aerec.cli.stopping import stop_notes, when_stopped


@pytest.fixture(autouse=True)
def no_notes(monkeypatch):
    monkeypatch.setattr("aerec.cli.stopping.stop_notes", stop_notes)
    yield
    stop_notes.clear()


def test_a_block_that_is_stopped_leaves_its_note():
    with pytest.raises(KeyboardInterrupt), when_stopped(lambda: "go on with --resume"):
        raise KeyboardInterrupt
    assert stop_notes == ["go on with --resume"]


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_text_there_is_no_note(text):
    with pytest.raises(KeyboardInterrupt), when_stopped(lambda: text):
        raise KeyboardInterrupt
    assert stop_notes == []


def test_a_block_that_ends_or_fails_otherwise_leaves_none():
    with when_stopped(lambda: pytest.fail("nobody asked")):
        pass
    with pytest.raises(OSError, match="full"), when_stopped(lambda: pytest.fail("nobody asked")):
        raise OSError("full")
    assert stop_notes == []
