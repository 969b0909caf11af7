"""A run as one TOML file: what `aerec train --config` reads, and what it writes into the run folder.

The tables and keys are those of ``run.json``; the values of hyper-parameters are written as for ``--set``, but for
lists, which TOML has itself::

    [data]
    source = "sample"
    threshold = 4.0

    [model]
    name = "mult-dae"

    [model.parameters]
    hidden = [600, 200]
    noise = "masking:0.5"
    patience = "none"
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerec._version import __version__
from aerec.cli.options import Reading, parse_list
from aerec.cli.settings import MODELS_INSIDE, build_model, parse_choice
from aerec.cli.toml import format_toml
from aerec.errors import DataError, names_like, warn_caller
from aerec.metrics import parse_metric
from aerec.recommender.base import Recommender
from aerec.registry import get_model_class
from aerec.runs.folder import SPLITTERS, SplitPlan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLES = ("data", "split", "model", "evaluation")
_DATA = {
    "source": "a text, or a list of them",
    "threshold": "a number",
    "min_per_user": "a whole number",
    "min_per_item": "a whole number",
    **{field.name: "true or false" if field.default is False else "a text" for field in dataclasses.fields(Reading)},
}
_TYPES: dict[str, Any] = {
    "a text, or a list of them": (str, list),
    "a text": str,
    "a number": (int, float),
    "a whole number": int,
    "true or false": bool,
}
_FORMS = {"int": "a whole number", "int | None": "a whole number", "float": "a number", "bool": "true or false"}
_KINDS = (*SPLITTERS, "given", "none")


@dataclass(frozen=True)
class Configuration:
    """What a file says of a run; what it leaves open is absent, or None.

    Parameters
    ----------
    data : dict
        Some of source, threshold (None: ratings as they are), min_per_user, min_per_item, and what is said of the
        file, see `aerec.cli.options.Reading`.
    model : str, optional
        A name of the registry.
    parameters : dict
        Hyper-parameters of the model.
    split : str, optional
        How data is held out.
    split_parameters : dict
        Of the splitter.
    metrics : list of str, optional
    seed : int, optional
        Of the model and the split, where their parameters do not name one.
    warm_from : str, optional
        The run whose weights the training begins with.
    """

    data: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    split_parameters: dict[str, Any] = field(default_factory=dict)
    metrics: list[str] | None = None
    seed: int | None = None
    warm_from: str | None = None

    def plan(self, suggested: SplitPlan) -> SplitPlan:
        """Return `suggested` with the parameters that the file gives."""
        return SplitPlan(suggested.kind, {**suggested.parameters, **self.split_parameters})


def read_configuration(path: str | os.PathLike[str]) -> Configuration:
    """Read the TOML file `path`.

    Raises
    ------
    FileNotFoundError
        If there is none.
    DataError
        If it is not TOML, a key is unknown or a value does not suit: one line with the file, the key and what is meant.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; every run folder holds such a file, config.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}") from None
    return _Reader(str(path)).read(content)


def override(configuration: Configuration, words: Mapping[str, Any], given: Callable[[str], bool]) -> Configuration:
    """Return the configuration of a run: what the command line gives, else what the file says, else the defaults.

    Parameters
    ----------
    told : Configuration
        Of the file.
    words : mapping
        All values of the command line, by the names of the parameters of `train`.
    given : callable
        Whether a word was said, and is not a default.

    Raises
    ------
    ValueError
        If it is not said what to train on.
    """
    data = {
        # older versions of Click call a list of arguments given where there is none
        key: words.get(word)
        if (given(word) and words.get(word) not in ([], ())) or key not in configuration.data
        else configuration.data[key]
        for key, word in {**{key: key for key in _DATA}, "source": "data"}.items()
    }
    data = {key: value for key, value in data.items() if value is not None or key in ("source", "threshold")}
    if isinstance(data["source"], list | tuple) and len(data["source"]) == 1:
        data["source"] = data["source"][0]
    if not data["source"]:
        raise ValueError("the file of --config does not say what to train on: add data.source, or aerec train DATA")
    model = words["model"] if given("model") or configuration.model is None else configuration.model
    parameters, split_parameters = dict(configuration.parameters), dict(configuration.split_parameters)
    if parameters and get_model_class(model) is not get_model_class(configuration.model or model):
        warn_caller(f"the model.parameters of the file are those of {configuration.model}, not of {model}")
        parameters = {}
    if given("seed"):
        parameters.pop("seed", None)
        split_parameters.pop("seed", None)
    return Configuration(
        data=data,
        model=model,
        parameters=parameters,
        split=words["split"] if given("split") else configuration.split,
        split_parameters={} if given("split") else split_parameters,
        metrics=parse_list(words["metrics"]) if given("metrics") else configuration.metrics,
        seed=words["seed"] if given("seed") or configuration.seed is None else configuration.seed,
        warm_from=str(words["warm_from"]) if given("warm_from") else configuration.warm_from,
    )


def describe_run(
    source: str | list[str],
    preparation: Mapping[str, Any],
    plan: SplitPlan,
    name: str,
    model: Recommender,
    metrics: Iterable[str],
    *,
    warm_from: str | None = None,
) -> str:
    """Return the file from which `aerec train --config` repeats a run: everything in it, no default left out."""
    content: dict[str, Any] = {} if warm_from is None else {"warm_from": warm_from}
    content |= {
        "data": {"source": source, **preparation},
        "split": {"kind": plan.kind, "parameters": plan.parameters},
        "model": {"name": name, "parameters": model.get_params(deep=False)},
        "evaluation": {"metrics": list(metrics)},
    }
    return f"# A run of aerec {__version__}: aerec train --config config.toml --out …\n\n{format_toml(content)}"


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Reader:
    """Checks the content of one file; every complaint names the file and the key."""

    path: str

    def read(self, content: dict[str, Any]) -> Configuration:
        self._known(content, ("seed", "warm_from", *_TABLES), "")
        tables = {name: self._of(content, name, dict, "a table", {}) for name in _TABLES}
        seed = self._of(content, "seed", int, "a whole number", None)
        data = self._data(tables["data"])
        self._known(tables["model"], ("name", "parameters"), "model.")
        name = self._of(tables["model"], "name", str, "a text", None, "model.")
        parameters = self._of(tables["model"], "parameters", dict, "a table", {}, "model.")
        if parameters and name is None:
            raise DataError(f"{self.path}: model.parameters are given without model.name; say which model they are of")
        kind, split_parameters = self._split(tables["split"])
        return Configuration(
            data=data,
            model=name,
            parameters={} if name is None else self._parameters(name, parameters),
            split=kind,
            split_parameters=split_parameters,
            metrics=self._metrics(tables["evaluation"]),
            seed=seed,
            warm_from=self._of(content, "warm_from", str, "a text", None),
        )

    def _data(self, table: dict[str, Any]) -> dict[str, Any]:
        self._known(table, tuple(_DATA), "data.")
        if table.get("threshold") == "none":
            table = {**table, "threshold": None}
        for key, value in table.items():
            if value is not None:
                self._check(value, _TYPES[_DATA[key]], _DATA[key], f"data.{key}")
        for source in table["source"] if isinstance(table.get("source"), list) else ():
            self._check(source, str, _DATA["source"], "data.source")
        return table

    def _parameters(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return hyper-parameters as the model takes them, after trying them on it."""
        try:
            model = get_model_class(name)
        except ValueError as error:
            raise DataError(f"{self.path}: model.name: {error}") from None
        self._known(given, tuple(model().get_params(deep=False)), "model.parameters.")
        values = {}
        for key, value in given.items():
            try:
                values[key] = self._parameter(value, f"model.parameters.{key}")
                build_model(model, [], given={key: values[key]})
            except DataError:  # noqa: PERF203
                raise
            except ValueError as error:
                raise DataError(f"{self.path}: model.parameters.{key}: {error}") from None
        return values

    def _parameter(self, value: Any, key: str) -> Any:
        """Return what a value stands for; a table with a name, or the name, is a model inside the model (Blend)."""
        if isinstance(value, list):
            return tuple(self._parameter(entry, key) for entry in value)
        if isinstance(value, str) and (parse_choice(value) is None or key.rpartition(".")[2] not in MODELS_INSIDE):
            return parse_choice(value)
        value = {"name": value} if isinstance(value, str) else value
        if isinstance(value, dict) and "name" in value:
            self._known(value, ("name", "parameters"), f"{key}.")
            inner = self._of(value, "parameters", dict, "a table", {}, f"{key}.")
            model = get_model_class(self._of(value, "name", str, "a text", None, f"{key}."))
            self._known(inner, tuple(model().get_params(deep=False)), f"{key}.parameters.")
            return build_model(
                model, [], {name: self._parameter(given, f"{key}.{name}") for name, given in inner.items()}
            )
        if isinstance(value, bool | int | float):
            return value
        raise ValueError(f"a {type(value).__name__} is no hyper-parameter; write numbers, texts or lists")

    def _split(self, table: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        self._known(table, ("kind", "parameters"), "split.")
        kind = self._of(table, "kind", str, "a text", None, "split.")
        parameters = self._of(table, "parameters", dict, "a table", {}, "split.")
        if kind is not None and kind not in _KINDS:
            raise DataError(f"{self.path}: split.kind: unknown split {kind!r}; {names_like(kind, _KINDS)}")
        if parameters and kind is None:
            raise DataError(f"{self.path}: split.parameters are given without split.kind; say which split they are of")
        fields = {field.name: field.type for field in dataclasses.fields(SPLITTERS[kind])} if kind in SPLITTERS else {}
        self._known(parameters, tuple(fields), "split.parameters.")
        for key, value in parameters.items():
            form = _FORMS[str(fields[key])]
            self._check(value, _TYPES[form], form, f"split.parameters.{key}")
        try:
            if kind in SPLITTERS:
                SPLITTERS[kind](**{"n_users": 1, **parameters} if "n_users" in fields else parameters)
        except ValueError as error:
            raise DataError(f"{self.path}: split.parameters: {error}") from None
        return kind, parameters

    def _metrics(self, table: dict[str, Any]) -> list[str] | None:
        self._known(table, ("metrics",), "evaluation.")
        metrics: list[str] | None = self._of(table, "metrics", list, "a list of texts", None, "evaluation.")
        for metric in metrics or ():
            self._check(metric, str, "a list of texts", "evaluation.metrics")
            try:
                parse_metric(metric)
            except ValueError as error:
                raise DataError(f"{self.path}: evaluation.metrics: {error}") from None
        if metrics == []:
            raise DataError(f"{self.path}: evaluation.metrics is empty; name at least one, such as recall@20")
        return metrics

    def _of(self, table: dict[str, Any], key: str, kind: Any, form: str, otherwise: Any, prefix: str = "") -> Any:
        if key not in table:
            return otherwise
        self._check(table[key], kind, form, prefix + key)
        return table[key]

    def _check(self, value: Any, kind: Any, form: str, key: str) -> None:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(f"{self.path}: {key} must be {form}, got {value!r}")

    def _known(self, table: dict[str, Any], names: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in names:
                raise DataError(f"{self.path}: unknown key {prefix}{key}: {names_like(key, names)}")
