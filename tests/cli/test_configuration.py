"""A run as a TOML file: written in full, read back, overridden, and every mistake as one line with file and key."""

import pytest

from aerec.cli.configuration import Configuration, override, read_configuration
from aerec.cli.toml import format_toml
from aerec.models import EASE, MultDAE
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.registry import MODELS
from aerec.runs.folder import read_run
from aerec.sparsity import KLSparsity, TopKSparsity

# ---------------------------------------------------------------------- there and back


@pytest.mark.parametrize("name", MODELS)
def test_the_parameters_of_every_model_come_back(tmp_path, name):
    parameters = MODELS[name]().get_params(deep=False)
    path = tmp_path / "run.toml"
    path.write_text(format_toml({"model": {"name": name, "parameters": parameters}}), encoding="utf-8")
    assert read_configuration(path).parameters == parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"noise": GaussianNoise(2, "all"), "sparsity": TopKSparsity(9), "hidden": (600, 200)},
        {"noise": MaskingNoise(0.3, rescale=False), "sparsity": KLSparsity(0.2, 3), "hidden": (5,)},
        {"noise": None, "sparsity": None, "hidden": 7, "patience": None, "learning_rate": 1e-30},
    ],
)
def test_noise_sparsity_layers_and_none_come_back(tmp_path, parameters):
    path = tmp_path / "run.toml"
    path.write_text(format_toml({"model": {"name": "autoencoder", "parameters": parameters}}), encoding="utf-8")
    assert read_configuration(path).parameters == parameters


def test_a_model_inside_is_named_as_for_set(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[model]\nname = 'recency-weighted'\nparameters.model = 'mult-dae'", encoding="utf-8")
    assert isinstance(read_configuration(path).parameters["model"], MultDAE)
    path.write_text("[model]\nname = 'blend'\nparameters.models = ['ease', 'mult-dae']", encoding="utf-8")
    assert [*map(type, read_configuration(path).parameters["models"])] == [EASE, MultDAE]
    path.write_text("[model]\nname = 'recency-weighted'\nparameters.model = 'none'", encoding="utf-8")
    assert read_configuration(path).parameters["model"] is None


# ---------------------------------------------------------------------- what overrides what


def overridden(told, **words):
    defaults = {"data": None, "model": "mult-vae", "seed": 0, "split": None, "metrics": None, "threshold": 4.0}
    return override(told, {**defaults, "min_per_user": 5, "min_per_item": 1, **words}, words.__contains__)


TOLD = Configuration(
    {"source": "theirs", "threshold": None},
    "elsa",
    {"n_factors": 3, "seed": 5},
    "strong",
    {"n_users": 7, "seed": 6},
    ["recall@5"],
)


def test_the_file_counts_more_than_defaults():
    found = overridden(TOLD)
    assert found.data == {"source": "theirs", "threshold": None, "min_per_user": 5, "min_per_item": 1}
    assert (found.model, found.parameters, found.split) == ("elsa", TOLD.parameters, "strong")
    assert (found.split_parameters, found.metrics) == (TOLD.split_parameters, ["recall@5"])


def test_the_command_line_counts_more_than_the_file():
    found = overridden(TOLD, data="mine", threshold=4.0, seed=0, metrics="ndcg@3, recall@3")
    assert (found.data["source"], found.data["threshold"]) == ("mine", 4.0)
    assert (found.parameters, found.split_parameters, found.seed) == ({"n_factors": 3}, {"n_users": 7}, 0)
    assert found.metrics == ["ndcg@3", "recall@3"]
    found = overridden(TOLD, split="strong")
    assert (found.split, found.split_parameters) == ("strong", {})


def test_parameters_of_another_model_are_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="are those of elsa, not of ease"):
        assert overridden(TOLD, model="ease").parameters == {}
    assert overridden(TOLD, model="ELSA").parameters == TOLD.parameters


def test_a_seed_of_the_file_is_for_model_and_split():
    assert overridden(Configuration({"source": "x"}, seed=3)).seed == 3
    assert overridden(Configuration({"source": "x"}, seed=3), seed=0).seed == 0


# ---------------------------------------------------------------------- runs

WORDS = ["--model", "sparse-autoencoder", "-s", "hidden=6,", "-s", "sparsity=kl:0.1:0.5", "-s", "activation=sigmoid"]


def weights(folder):
    (path,) = (folder / "model").glob("*.safetensors")
    return path.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        [*WORDS, "--epochs", "2", "--seed", "7", "--threshold", "3", "--min-per-user", "8"],
        ["--model", "autorec", "-s", "hidden=4", "--epochs", "2", "--min-per-item", "3"],
        ["--model", "cdae", "-s", "hidden=4", "--epochs", "2", "--split", "last", "--metrics", "ndcg@7"],
        ["--model", "popularity", "--split", "none"],
    ],
    ids=["sparse", "autorec", "cdae", "popularity"],
)
def test_a_run_is_repeated_bit_for_bit_from_its_file(aerec, films_path, tmp_path, words):
    assert aerec("train", films_path, *words, "--quiet", "--out", "run").code == 0
    assert aerec("train", "--config", "run/config.toml", "--out", "other").code == 0
    assert weights(tmp_path / "run") == weights(tmp_path / "other")
    written = [(tmp_path / name / "config.toml").read_text() for name in ("run", "other")]
    assert written[0] == written[1]
    one, other = (read_run(tmp_path / name).description for name in ("run", "other"))
    for what in ("data", "model", "split", "report"):
        assert one[what] == other[what]


def test_a_file_written_by_hand(aerec, films_path, tmp_path):
    (tmp_path / "run.toml").write_text(
        f"""
        seed = 3
        [data]
        source = {str(films_path)!r}
        min_per_user = 10
        [split]
        kind = "random"
        parameters = {{ fraction = 0.2 }}
        [model]
        name = "denoising-autoencoder"
        parameters = {{ hidden = [6, 4], noise = "gaussian:0.5", epochs = 5, patience = "none" }}
        [evaluation]
        metrics = ["recall@5"]
        """
    )
    assert aerec("train", "--config", "run.toml", "--epochs", "1", "-s", "tied=true").code == 0
    run = read_run(tmp_path / "run")
    assert run.description["data"]["min_per_user"] == 10
    assert run.plan.parameters == {"seed": 3, "per_user": True, "fraction": 0.2}
    assert list(run.description["report"]["metrics"]) == ["recall@5"]
    wanted = {"hidden": (6, 4), "noise": GaussianNoise(0.5), "epochs": 1, "patience": None, "tied": True, "seed": 3}
    assert {name: run.model.get_params()[name] for name in wanted} == wanted


def test_models_inside_a_model(aerec, films_path, tmp_path):
    ease = "{ name = 'ease', parameters = { l2 = 20.0 } }"
    neural = "{ name = 'mult-dae', parameters = { hidden = [4], epochs = 1 } }"
    (tmp_path / "run.toml").write_text(f"{BLEND}{ease}, {neural}]\n")
    assert aerec("train", films_path, "--config", "run.toml", "--out", "run").code == 0
    assert aerec("train", "--config", "run/config.toml", "--out", "other").code == 0
    first, again = (read_run(tmp_path / name).model for name in ("run", "other"))
    assert [type(one).__name__ for one in first.models_] == ["EASE", "MultDAE"]
    assert (first.models[0].l2, first.models[1].hidden) == (20.0, (4,))
    assert str(first.get_params(deep=False)) == str(again.get_params(deep=False))
    assert weights(tmp_path / "run") == weights(tmp_path / "other")


def test_without_data_it_is_said_where_to_name_it(refused, tmp_path):
    (tmp_path.parent / "empty.toml").write_text("")
    assert "name the data to train on" in refused("train")
    assert "does not say what to train on: add data.source" in refused(
        "train", "--config", tmp_path.parent / "empty.toml"
    )


# ---------------------------------------------------------------------- mistakes

BLEND = "[model]\nname = 'blend'\nparameters.models = ["


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{BLEND}{{ name = 'easy' }}]", "model.parameters.models: unknown model 'easy'"),
        (
            f"{BLEND}{{ name = 'ease', l2 = 1 }}]",
            "unknown key model.parameters.models.l2: there are name",
        ),
        (
            f"{BLEND}{{ name = 'ease', parameters = {{ l = 1 }} }}]",
            "unknown key model.parameters.models.parameters.l: ",
        ),
        (f"{BLEND}{{ name = 'ease', parameters = {{ l2 = -1 }} }}]", "model.parameters.models: The 'l2' parameter"),
        ("seed = 1\nseed 2", "is not TOML: "),
        ("sed = 1", "unknown key sed: did you mean seed? there are seed, warm_from, data, split, model, evaluation"),
        ("[data]\nsauce = 'x'", "unknown key data.sauce: did you mean source?"),
        ("data = 'sample'", "data must be a table, got 'sample'"),
        ("[data]\nsource = 3", "data.source must be a text, or a list of them, got 3"),
        ("[data]\nthreshold = '4'", "data.threshold must be a number, got '4'"),
        ("[data]\nthreshold = true", "data.threshold must be a number, got True"),
        ("[data]\nmin_per_user = 2.5", "data.min_per_user must be a whole number, got 2.5"),
        ("seed = true", "seed must be a whole number, got True"),
        ("[model]\nname = 'mult-vea'", "model.name: unknown model 'mult-vea'"),
        ("[model.parameters]\nepochs = 3", "model.parameters are given without model.name"),
        ("[model]\nname = 'ease'\nparameters.l_2 = 3", "unknown key model.parameters.l_2: did you mean l2?"),
        ("[model]\nname = 'ease'\nparameters.l2 = '500'", "model.parameters.l2: The 'l2' parameter of EASE must be"),
        ("[model]\nname = 'cdae'\nparameters.noise = 'masking:x'", "model.parameters.noise: 'masking:x' cannot be"),
        ("[model]\nname = 'cdae'\nparameters.noise.p = 0.5", "model.parameters.noise: a dict is no hyper-parameter"),
        ("[model]\nname = 'cdae'\nparameters.epochs = 1979-05-27", "model.parameters.epochs: a date is no"),
        (
            "[split]\nkind = 'weak'",
            "split.kind: unknown split 'weak'; there are strong, random, last, temporal, cold-users, cold-items, gi",
        ),
        ("[split]\nparameters.seed = 3", "split.parameters are given without split.kind"),
        ("[split]\nkind = 'strong'\nparameters.fold_out = 0.5", "unknown key split.parameters.fold_out: did you mean"),
        (
            "[split]\nkind = 'none'\nparameters.seed = 1",
            "unknown key split.parameters.seed: there are no",
        ),
        ("[split]\nkind = 'strong'\nparameters.seed = 1.5", "split.parameters.seed must be a whole number, got 1.5"),
        ("[split]\nkind = 'strong'\nparameters.fold_in = 1.5", "split.parameters: fold_in"),
        ("[evaluation]\nmetrics = 'recall@5'", "evaluation.metrics must be a list of texts, got 'recall@5'"),
        ("[evaluation]\nmetrics = [5]", "evaluation.metrics must be a list of texts, got 5"),
        ("[evaluation]\nmetrics = ['recall']", "evaluation.metrics: unknown metric 'recall'"),
        ("[evaluation]\nmetrics = []", "evaluation.metrics is empty"),
    ],
)
def test_a_mistake_in_a_file(refused, tmp_path, text, reason):
    path = tmp_path / "run.toml"
    path.write_text(text)
    err = refused("train", "sample", "--config", "run.toml", "--out", "run")
    assert err.startswith(f"aerec: error: run.toml{' ' if reason.startswith('is') else ': '}")
    assert reason in err


def test_a_file_that_is_not_there_or_no_text(refused, tmp_path):
    assert "missing.toml does not exist" in refused("train", "--config", "missing.toml")
    (tmp_path / "run.toml").write_bytes(b"\xff\xfe")
    assert "run.toml is not TOML" in refused("train", "--config", "run.toml")
