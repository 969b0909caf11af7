"""What computes nothing imports nothing that takes long; see benchmarks/speed/startup.py for the time it takes."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "scipy", "sklearn", "numpy")
CALLS = {
    "--version": 0,
    "--help": 0,
    "-h": 0,
    "train --help": 0,
    "recommend -h": 0,
    "tune -h": 0,
    "serve -h": 0,
    "tarin": 2,
    "train sample --sede 3": 2,
}
CODE = """
import json, sys
from aerec.cli import main
results = {}
for words in json.loads(sys.argv[1]):
    sys.argv = ["aerec", *words.split()]
    try:
        main()
    except SystemExit as ended:
        results[words] = [ended.code, *[name for name in HEAVY if name in sys.modules]]
print(json.dumps(results))
"""


def test_nothing_heavy_is_imported():
    command = [sys.executable, "-c", f"HEAVY = {HEAVY!r}{CODE}", json.dumps(list(CALLS))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {words: [code] for words, code in CALLS.items()}


def test_the_package_imports_nothing_heavy_until_a_name_is_asked_for():
    code = (
        "import sys, aerec; before = [name for name in ('torch', 'pandas', 'numpy') if name in sys.modules]; "
        "from aerec import Interactions; assert Interactions.__name__ in dir(aerec); print(before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_name_of_the_package():
    import aerec

    with pytest.raises(AttributeError, match="module 'aerec' has no attribute 'Interaction'"):
        aerec.Interaction


@pytest.mark.parametrize("verb", ["train", "recommend", "benchmark", "tune", "serve", "import"])
def test_short_help_is_help(aerec, verb):
    assert aerec(verb, "-h") == aerec(verb, "--help")


def test_help_shows_defaults(aerec):
    out = aerec("train", "-h").out
    assert "[default: mult-vae]" in out
    assert "[default: 4.0]" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, tmp_path):
    code = "from aerec.cli import main; main()"
    environment = {
        "_AEREC_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "aerec rec",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "aerec rec",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert "recommend" in done.stdout
    assert "torch" not in done.stderr
