"""The table of measured results in README.md, made from benchmarks/results: `python docs/readme_table.py` writes it.

No figure there is typed by hand; tests/docs/test_readme_table.py compares.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GIVEN = "ml-1m-implicit, given"
BEGIN, END = "<!-- measured: made by docs/readme_table.py -->\n", "<!-- /measured -->"


def results(name: str) -> dict[str, Any]:
    """Return one file of results."""
    content: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def quality(name: str, metric: str, **models: str) -> str:
    """Return the mean of a metric over the runs (seeds) of each model, given as shown name = name in the file."""
    shown = []
    for label, model in models.items():
        [entry] = [entry for entry in results(name)["models"] if entry["name"] == model]
        mean = statistics.mean(run["report"]["metrics"][metric]["mean"] for run in entry["runs"])
        shown.append(f"{label} {mean:.3f}")
    return ", ".join(shown)


def at_defaults(data: str, metric: str, **models: str) -> str:
    """Return the metric of models at their defaults, with validation data."""
    rows = {row["model"]: row for row in results("defaults")["rows"] if row["data"] == data and row["validated"]}
    return ", ".join(f"{label} {rows[model][metric]:.3f}" for label, model in models.items())


def commits(name: str, *wanted: str, data: str | None = None) -> str:
    """Return the commits that a file of results was made with, or what it has of some models."""
    content = results(name)
    entries = content["models"] if "models" in content else content.get("rows", [])
    entries = [entry for entry in entries if entry.get("name", entry.get("model")) in wanted]
    entries = [entry for entry in entries if data in (None, entry.get("data"))]
    named = dict.fromkeys(entry.get("commit") or content["commit"] for entry in entries or [content])
    return ", ".join(commit[:7] + ("-dirty" if commit.endswith("-dirty") else "") for commit in named)


def published(data: str, metric: str, *models: str) -> str:
    """Return figures of papers."""
    figures = json.loads((ROOT / "benchmarks" / "quality" / "published.json").read_text(encoding="utf-8"))[data]
    place = figures["metrics"].index(metric)
    return ", ".join(f"{model} (published) {figures['models'][model][place]:.3f}" for model in models)


def seconds(data: str, model: str, figure: str, **libraries: str) -> str:
    """Return seconds of training of some libraries, from the run in which all were timed."""
    shown = []
    for label, library in libraries.items():
        wanted = (data, "training", model, library)
        [row] = [
            row
            for row in results("speed-peers")["rows"]
            if (row["data"], row["part"], row.get("model"), row["peer"]) == wanted
        ]
        shown.append(f"{label} {row[figure]:.{2 if row[figure] < 1 else 1 if row[figure] < 10 else 0}f} s".strip())
    return ", ".join(shown)


def rows() -> list[tuple[str, str, str, str]]:
    """Return what was measured, aerec's figure, the figures beside it, and the commit of aerec's."""
    killed, memory = results("kill")["kills"], results("scale/out-of-core")
    peak = max(memory[part]["peak"]["VmHWM"] for part in ("import", "train"))
    peers = {"RecBole": "recbole", "Cornac": "cornac"}
    return [
        (
            "New users, MovieLens 1M, ndcg@100 (`top-n-strong`)",
            quality("top-n-strong", "ndcg@100", CDAE="cdae", Blend="blend"),
            quality("top-n-strong", "ndcg@100", EASE="ease", Popularity="popularity"),
            commits("top-n-strong", "cdae", "blend"),
        ),
        (
            "Known users, MovieLens 1M, ndcg@20 (`top-n-given`)",
            quality("top-n-given", "ndcg@20", ELSA="elsa", Blend="blend"),
            quality("top-n-given", "ndcg@20", EASE="ease", Popularity="popularity"),
            commits("top-n-given", "elsa", "blend"),
        ),
        (
            "The same untouched, at defaults (`defaults`)",
            at_defaults(GIVEN, "ndcg@20", ELSA="elsa"),
            at_defaults(GIVEN, "ndcg@20", EASE="ease", Popularity="popularity"),
            commits("defaults", "elsa", data=GIVEN),
        ),
        (
            "Gowalla, recall@20 (`gowalla`)",
            quality("gowalla", "plain_recall@20", BSPM="bspm", Blend="blend"),
            published("gowalla", "plain_recall@20", "LightGCN", "BSPM-EM", "GR-MC"),
            commits("gowalla", "bspm", "blend"),
        ),
        (
            "Yelp2018, recall@20 (`yelp2018`)",
            quality("yelp2018", "plain_recall@20", BSPM="bspm"),
            published("yelp2018", "plain_recall@20", "LightGCN", "BSPM-EM", "NESCL"),
            commits("yelp2018", "bspm"),
        ),
        (
            "Ratings, MovieLens 100K fold u1, RMSE (`rating-ml-100k-u1`)",
            quality("rating-ml-100k-u1", "rmse", KernelAutoRec="KernelAutoRec", RatingBlend="blend of KernelAutoRec"),
            published("ml-100k-u1", "rmse", "GLocal-K"),
            commits("rating-ml-100k-u1"),
        ),
        (
            "Mult-VAE, an epoch at ML-20M's shape (`speed-peers`)",
            seconds("ml-20m-shape", "mult-vae", "epoch", **{"": "aerec"}),
            seconds("ml-20m-shape", "mult-vae", "epoch", **peers),
            commits("speed-peers", "mult-vae", data="ml-20m-shape"),
        ),
        (
            "Mult-VAE, training until ndcg@20 is 0.17 (`speed-peers`)",
            seconds("ml-1m-implicit", "mult-vae", "reached", **{"": "aerec"}),
            seconds("ml-1m-implicit", "mult-vae", "reached", **peers),
            commits("speed-peers", "mult-vae", data="ml-1m-implicit"),
        ),
        (
            "RecVAE, an epoch on MovieLens 1M (`speed-peers`)",
            seconds("ml-1m-implicit", "rec-vae", "epoch", **{"": "aerec"}),
            seconds("ml-1m-implicit", "rec-vae", "epoch", **peers),
            commits("speed-peers", "rec-vae", data="ml-1m-implicit"),
        ),
        (
            "EASE, a whole fit on MovieLens 1M (`speed-peers`)",
            seconds("ml-1m-implicit", "ease", "epoch", **{"": "aerec"}),
            seconds("ml-1m-implicit", "ease", "epoch", irspack="irspack", **peers),
            commits("speed-peers", "ease", data="ml-1m-implicit"),
        ),
        (
            f"{memory['ratings'] / 1e6:.0f} million rows, imported and trained on (`scale/out-of-core`)",
            f"{peak / 2**30:.1f} GiB at most",
            "",
            commits("scale/out-of-core"),
        ),
        (
            "Trainings killed at random, resumed to the same bytes (`kill`)",
            f"{sum(kill['same_weights'] for kill in killed)} of {len(killed)}",
            "",
            commits("kill"),
        ),
    ]


def table() -> str:
    """Return the table in Markdown."""
    lines = ["| | aerec | beside it | commit |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows())]
    return "\n".join(lines) + "\n"


def with_table(readme: str) -> str:
    """Return the text of README with the table made anew."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
