"""Whether two versions of aerec give the same results bit for bit, for every model of the registry on the sample.

    python benchmarks/structure/same_results.py OLD/src NEW/src

Each version runs in a process of its own, on one thread, with its folder on PYTHONPATH. Compared are fit with and
without validation, the saved tensors and header, scores, ranking, frames, explanations (but for rounding),
predictions and codes; what only the new version gives counts as the same. The new version is given the parameters of
the old one: a default may have become another.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

NEURAL = {"epochs": 3, "batch_size": 200, "progress": False, "device": "cpu"}
CHANGES: dict[str, dict[str, Any]] = {
    # penalties as numbers: the rules of "auto" are not the subject here
    "low-rank-edlae": {"l2": 500.0, "n_factors": 8, "epochs": 5},
    "sparse-ease": {"l2": 500.0},
    "elsa": {**NEURAL, "n_factors": 16},
    "nmf": {"n_factors": 8, "epochs": 20},
    "pure-svd": {"l2": 1000.0, "n_factors": 8},
    "als": {"n_factors": 8, "epochs": 3},
    "bpr": {"n_factors": 8, "epochs": 5},
    "biased-mf": {"n_factors": 4, "epochs": 3},
    "slim": {"epochs": 10},
    "ease": {"l2": 500.0},
    "edlae": {"l2": 500.0},
}
NEUTRAL: dict[str, Any] = {"shrinkage": 0.0, "noise": None}
OF_MODELS: dict[str, dict[str, Any]] = {"elsa": {"user_norm": 1.0}}
"""Parameters of later versions, with the value at which they change nothing; also of single models."""
NEED_TIMES = ("recency-weighted", "slist")
NAMES_OF_RATINGS = ("bias", "biased-mf", "autorec", "kernel-autorec", "rating-blend")


def cases() -> list[tuple[str, str, dict[str, Any]]]:
    """Label, registry name and parameters of every model that is compared."""
    from aerec.baselines import BiasBaseline, PureSVD
    from aerec.models import EASE, ELSA, MultDAE
    from aerec.models import AutoRec as Rec
    from aerec.noise import GaussianNoise, MaskingNoise
    from aerec.registry import MODELS
    from aerec.sparsity import KLSparsity, TopKSparsity

    hidden = {**NEURAL, "hidden": 16}
    changes = {
        **CHANGES,
        "blend": {"models": (EASE(l2=500.0), PureSVD(l2=1000.0, n_factors=4), MultDAE(**hidden)), "steps": 3},
        "recency-weighted": {"model": EASE(l2=500.0)},
        "sparse-code": {"model": ELSA(n_factors=16, **NEURAL), "n_units": 64, "n_active": 8, "epochs": 3},
        "rating-blend": {"models": (Rec(**hidden), Rec(orientation="user", **hidden), BiasBaseline())},
    }
    rows = [(name, name, changes.get(name)) for name in MODELS]
    rows += [
        ("tied", "autoencoder", {**hidden, "hidden": (16, 8), "tied": True, "sparsity": TopKSparsity(3)}),
        ("users", "autoencoder", {**hidden, "user_factors": True, "likelihood": "gaussian", "normalize": True}),
        ("variational", "autoencoder", {**hidden, "variational": True, "noise": GaussianNoise(0.1)}),
        ("observed", "autoencoder", {**hidden, "likelihood": "observed", "noise": MaskingNoise(0.2)}),
        ("penalised", "autoencoder", {**hidden, "sparsity": KLSparsity(0.1, 0.1), "activation": "sigmoid"}),
        ("negatives", "autoencoder", {**hidden, "negatives": 50}),
        ("bf16", "mult-vae", {**NEURAL, "hidden": 4096, "epochs": 1, "precision": "bf16"}),
        ("user autorec", "autorec", {**hidden, "orientation": "user", "biases": True}),
        ("item autorec", "autorec", {**hidden, "biases": True}),
        ("kernel user", "kernel-autorec", {**hidden, "orientation": "user"}),
        ("jaccard", "item-knn", {"similarity": "jaccard", "k": 20}),
    ]
    made = []
    for label, name, given in rows:
        known = MODELS[name]().get_params(deep=False)
        default = {key: value for key, value in hidden.items() if key in known}
        made.append((label, name, {**default, **({} if given is None else given)}))
    return made


def results(label: str, name: str, parameters: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Everything that one model gives."""
    from safetensors.numpy import load_file

    from aerec.datasets import load_dataset
    from aerec.registry import MODELS, load_model
    from aerec.splitting import RandomHoldout

    ratings = load_dataset("sample")
    wide = parameters.get("hidden") == 4096
    data = ratings if name in NAMES_OF_RATINGS or label in ("observed", "users") else ratings.binarize(4.0)
    split = RandomHoldout(fraction=0.1, validation_fraction=0.1).split(data)
    known = split.train.users[:200]
    history = split.train.select_users(known)
    new = history.select_users(known[:40])
    new = new.keep(np.arange(new.n_ratings) >= new.matrix.indptr[2])  # two without a rating
    strangers = new if name in NEED_TIMES else new.matrix  # a matrix has no times, and no ids
    found: dict[str, np.ndarray] = {}
    for kind, validation in (("plain", ()), ("validated", (split.validation,))):
        model: Any = MODELS[name](**parameters)
        model.fit(split.train, *validation)
        model.save(folder / "model")
        (tensors,) = (folder / "model").glob("*.safetensors")
        out = {f"saved {key}": value for key, value in load_file(tensors).items()}
        header = json.loads((folder / "model" / "model.json").read_text())
        state = header["state"]
        for part in (state, state.get("model", {}), *state.get("models", [])):
            part.get("history", {}).pop("seconds", None)
        kept = {key: header[key] for key in ("parameters", "fitted_with", "n_items", "state")}
        out["header"] = np.frombuffer(json.dumps(kept, sort_keys=True).encode(), np.uint8)
        for which, given in (("known", history), ("strangers", strangers)):
            out[f"scores {which}"] = model.score_items(given)
            out[f"rank {which}"], out[f"values {which}"] = model.rank(given, 10)
            barred = given.items[:5] if hasattr(given, "items") else [1, 2]
            out[f"all {which}"] = model.rank(given, 30, exclude_seen=False, block_items=barred)[0]
        frame = model.recommend(history, k=5)
        for column in frame:
            out[f"frame {column}"] = frame[column].to_numpy()
        for row in () if wide else (0, 7):
            one = history.select_users(known[[row]])
            told = model.explain(one, data.items[3])
            out[f"explained {row}"] = told.sort_values("item")["contribution"].to_numpy()
        if hasattr(model, "predict"):
            pairs = split.test.target.to_frame()
            out["predicted"] = model.predict(pairs["user"], pairs["item"])
        if hasattr(model, "generate"):
            whole = split.train if name not in ("autorec", "kernel-autorec") else split.train.matrix
            if name in ("autorec", "kernel-autorec") and parameters.get("orientation", "item") == "item":
                whole = split.train
            out["code"] = code = model.transform(whole)
            out["generated"] = model.generate(code[:5])
            out["cost"] = np.array(model.total_cost(whole))
            out["reconstructed"] = model.reconstruct(whole)[:20]
        loaded = load_model(folder / "model")
        out["loaded scores"] = loaded.score_items(history)
        if hasattr(model, "partial_fit"):
            model.partial_fit(split.train)
            out["scores after partial_fit"] = model.score_items(history)
        found |= {f"{kind}: {key}": value for key, value in out.items()}
    return found


def work(target: Path, only: list[str], former: Path | None) -> None:
    """Write the results of the aerec on this path, one file a model; of the models and parameters in `former`."""
    import warnings

    import torch

    from aerec.recommender.saving import decode_parameter, encode_parameter
    from aerec.registry import MODELS

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    classes = {type(model()).__name__: model for model in MODELS.values()}
    for label, name, given in cases():
        if (only and label not in only) or (former is not None and not (former / f"{label}.json").exists()):
            continue
        if former is None:
            parameters = {**MODELS[name]().get_params(deep=False), **given}
            encoded = {key: encode_parameter(value) for key, value in parameters.items()}
            (target / f"{label}.json").write_text(json.dumps(encoded), encoding="utf-8")
        else:
            encoded = json.loads((former / f"{label}.json").read_text(encoding="utf-8"))
            parameters = {key: decode_parameter(value, classes) for key, value in encoded.items()}
            known = MODELS[name]().get_params(deep=False)
            later = NEUTRAL | OF_MODELS.get(name, {})
            parameters |= {key: value for key, value in later.items() if key in known and key not in parameters}
        with tempfile.TemporaryDirectory() as folder:
            found = results(label, name, parameters, Path(folder))
        packed = {key: value.astype(str) if value.dtype == object else value for key, value in found.items()}
        np.savez(target / f"{label}.npz", **packed)


def main() -> None:
    """Compare the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="labels of models")
    parser.add_argument("--keep", type=Path, help="folder in which the results of the old version stay")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--former", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.into is not None:
        work(arguments.into, arguments.only, arguments.former)
        return
    with tempfile.TemporaryDirectory() as folder:
        places = [arguments.keep or Path(folder) / "old", Path(folder) / "new"]
        for place, source in zip(places, (arguments.old, arguments.new), strict=True):
            if place.is_dir() and any(place.iterdir()):
                continue
            place.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, __file__, *(str(one) for one in (arguments.old, arguments.new))]
            command += ["--into", str(place), "--only", *arguments.only]
            command += ["--former", str(places[0])] if place is places[1] else []
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            subprocess.run(command, check=True, env={**os.environ, **threads, "PYTHONPATH": str(source.resolve())})
        raise SystemExit(compare(*places, arguments.only))


def unlike(before: Any, after: Any, name: str = "") -> list[str]:
    """Names of what differs in a header; what is new in it does not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [place for key in before for place in unlike(before[key], after.get(key), f"{name}.{key}")]
    if name.endswith("arrays"):
        return []  # their names: what is in them is compared
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [place for pair in zip(before, after, strict=True) for place in unlike(*pair, name)]
    return [name] * (before != after)


def compare(old: Path, new: Path, only: list[str]) -> int:
    """Print what differs; 1 where something does."""
    n_equal, different = 0, []
    for path in sorted(old.glob("*.npz")):
        if only and path.stem not in only:
            continue
        before, after = np.load(path), np.load(new / path.name)
        for key in sorted({*before.files, *after.files}):
            if key not in before.files:
                continue  # a later version gives more
            if key not in after.files:
                different.append(f"{path.stem}: {key} is missing")
            elif "header" in key:
                names = unlike(*(json.loads(one[key].tobytes()) for one in (before, after)))
                n_equal += not names
                different += [f"{path.stem}: {key}: {name}" for name in names]
            elif "explained" in key and np.allclose(before[key], after[key], rtol=1e-4, atol=1e-5):
                n_equal += 1  # one item's term is subtracted from a sum: equal but for rounding
            elif before[key].tobytes() != after[key].tobytes() or before[key].dtype != after[key].dtype:
                apart = ""
                if before[key].shape == after[key].shape and before[key].dtype.kind == "f":
                    apart = f", up to {np.nanmax(np.abs(before[key] - after[key])):.3g} apart"
                different.append(f"{path.stem}: {key} differs{apart}")
            else:
                n_equal += 1
    print(f"{n_equal} results are the same, {len(different)} differ")
    print("\n".join(different))
    return int(bool(different))


if __name__ == "__main__":
    main()
