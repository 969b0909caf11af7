"""What all verbs share: help, version, one line for what cannot be understood, warnings, Ctrl-C."""

import subprocess
import sys
import warnings

import pytest

import aerec as package
from aerec import datasets as verb

VERBS = ["datasets", "train", "evaluate", "recommend", "similar", "benchmark", "tune", "doctor"]


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(aerec, name):
    code, out, err = aerec(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: aerec {name} ")
    assert "--json" in out


def test_help_lists_the_verbs_each_with_a_sentence(aerec):
    code, out, err = aerec("--help")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    explained = {words[0] for words in lines if len(words) == 2 and len(words[1].split()) > 2}
    assert set(VERBS) <= explained


def test_without_a_verb_help_goes_to_standard_error(aerec):
    code, out, err = aerec()
    assert (code, out) == (2, "")
    assert err == aerec("--help").out


def test_version(aerec):
    assert aerec("--version") == (0, f"aerec {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["tarin"], "tarin"),
        (["--nope"], "--nope"),
        (["train"], "data"),
        (["train", "sample", "--nope"], "--nope"),
        (["train", "sample", "--seed", "one"], "--seed"),
        (["train", "sample", "--epochs"], "--epochs"),
        (["recommend", "run", "-k", "0"], "-k"),
        (["recommend", "run", "-k", "ten"], "-k"),
        (["recommend", "run", "-k", "1_0"], "'-k': '1_0' is not a whole number in the digits 0 to 9"),
        (["train", "sample", "--seed", "１"], "'--seed': '１' is not a whole number in the digits 0 to 9"),
        (["train", "sample", "--threshold", "1_0"], "'--threshold': '1_0' is not a number in the digits 0 to 9"),
        (["serve", "run", "--port", "8_000"], "'--port': '8_000' is not a whole number in the digits 0 to 9"),
        (["datasets", "extra"], "extra"),
    ],
)
def test_words_that_make_no_sense_are_one_line(refused, words, text):
    err = refused(*words)
    assert text in err.lower()
    assert "; see aerec " in err
    assert err.endswith(" --help\n")


def test_a_warning_is_one_line_on_standard_error(aerec, tmp_path):
    path = tmp_path / "ratings.csv"
    rows = [f"{user},{item},5" for user in range(6) for item in range(6)]
    path.write_text("\n".join(["user,item,rating", *rows, rows[0], ""]))
    code, _, err = aerec("train", path, "--model", "popularity")
    assert code == 0
    said = "1 rating replaced by a later one of the same user and item; --counts adds up plays or clicks"
    assert err == f"aerec: warning: {said}\n"


def test_warnings_for_programmers_are_not_shown(aerec, monkeypatch):
    def deprecated():
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
        warnings.warn("soon different", FutureWarning, stacklevel=1)
        warnings.warn("two\nlines", UserWarning, stacklevel=1)
        return listed()

    listed = verb.list_datasets
    monkeypatch.setattr(verb, "list_datasets", deprecated)
    warnings.simplefilter("always")
    assert aerec("datasets").err == "aerec: warning: two lines\n"


def test_ctrl_c_is_one_line_and_the_usual_exit_code(aerec, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "list_datasets", interrupted)
    code, out, err = aerec("datasets")
    assert (code, out) == (130, "")
    assert err.strip() == "aerec: stopped: no file was left half written"  # old typer ends the ^C line


def test_an_error_of_several_lines_is_printed_as_one(aerec, monkeypatch):
    def failed():
        raise OSError("no space\n left   on device")

    monkeypatch.setattr(verb, "list_datasets", failed)
    assert aerec("datasets") == (2, "", "aerec: error: no space left on device\n")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9. GiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried\nto"),
    ],
)
def test_no_more_memory_is_one_line_of_advice(aerec, monkeypatch, error):
    def failed():
        raise error

    monkeypatch.setattr(verb, "list_datasets", failed)
    code, out, err = aerec("datasets")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"aerec: error: there was no more memory ({str(error).splitlines()[0]}); keep fewer items")


def test_a_fault_of_ours_is_not_dressed_up_as_bad_input(monkeypatch):
    from aerec.cli import main

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(verb, "list_datasets", broken)
    monkeypatch.setattr(sys, "argv", ["aerec", "datasets"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_as_a_module_in_a_process_of_its_own(tmp_path):
    words = [sys.executable, "-m", "aerec.cli", "train", "missing.csv", "--sede", "3"]  # imports nothing heavy
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("aerec: error: ")
    assert "--sede" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
