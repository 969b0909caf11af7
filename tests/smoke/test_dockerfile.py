"""The Dockerfile copies what exists and gets past .dockerignore, runs without rights and says how it is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored  # all but what is named
    copied = [
        word for line in LINES if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_the_last_stage_has_a_user_without_rights_and_a_probe():
    last = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM ")) :]
    (user,) = [line.split()[1] for line in last if line.startswith("USER ")]
    assert int(user) > 0
    assert "/healthz" in "\n".join(last)


def test_every_installation_is_pinned():
    installs = [line for line in LINES if re.search(r"\bpip install\b", line)]
    assert len(installs) == 2
    assert all("-c constraints.txt" in line for line in installs)
