"""Limits of a server: as many threads as cores, and values that do not change."""

import dataclasses

import pytest

from aerec.serving.settings import Settings
from aerec.system.environment import cpu_cores


def test_the_defaults_are_those_of_the_docstring():
    settings = Settings()
    assert settings.threads == cpu_cores() >= 1
    for name, text in (("queue", "default 64"), ("connections", "default 1000"), ("answer_seconds", "default 30")):
        assert f"{name} : {type(getattr(settings, name)).__name__}, {text}" in Settings.__doc__
        assert getattr(settings, name) == float(text.split()[1])
    assert settings.body_bytes == 1024 * 1024


def test_limits_cannot_be_changed_while_it_serves():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().queue = 1
    assert dataclasses.replace(Settings(), queue=1).queue == 1
