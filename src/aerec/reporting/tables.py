"""The tables of a report, each empty text where the results hold nothing for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from aerec.display.notebook import Html, html_table
from aerec.evaluation.beyond import MEANINGS

_NONE = "–"


def quality_table(results: Mapping[str, Any]) -> Html:
    """Return models × metrics, with intervals, and what the fits took."""
    metrics = list(results["models"][0]["metrics"])
    costs = {"fit_seconds": ("fit, s", ".2f"), "peak_mb": ("peak, MB", ",.0f")}
    known = [cost for cost in costs if any(model.get(cost) is not None for model in results["models"])]
    rows = []
    for model in results["models"]:
        cells = [
            _measured(model["metrics"][metric], model["name"] in results["best"].get(metric, ())) for metric in metrics
        ]
        rows.append((model["name"], *cells, *(_number(model.get(cost), costs[cost][1]) for cost in known)))
    return scrolling_table("Quality on test data", ("model", *metrics, *(costs[cost][0] for cost in known)), rows)


def differences_table(differences: Sequence[Mapping[str, Any]]) -> Html:
    """Return the paired difference of each pair of models."""
    rows = [
        (
            f"{row['a']} − {row['b']}",
            row["metric"],
            _signed(row["difference"]),
            f"{_signed(row['low'])} to {_signed(row['high'])}",
            "< 0.0001" if row["p_holm"] < 1e-4 else f"{row['p_holm']:.4f}",
        )
        for row in differences
    ]
    head = ("pair", "metric", "difference", "95 % interval", "p, corrected")
    return scrolling_table("Paired differences over users", head, rows)


def groups_tables(models: Sequence[Mapping[str, Any]]) -> list[Html]:
    """Return quality by popularity of the item and by activity of the user as numbers, folded away."""
    known = _known(models, "groups")
    tables = []
    for kind, size, title in (
        ("popularity", "n_items", "By popularity of the item"),
        ("activity", "n_users", "By activity of the user"),
    ):
        groups = known[0][1][f"by_{kind}"] if known else []
        if not groups:
            continue
        metric = known[0][1]["metric"]
        head = [_group(kind, row, size) for row in groups]
        rows = []
        for name, groups_of in known:
            values = {row[kind]: row["value"] for row in groups_of[f"by_{kind}"]}
            rows.append((name, *(_number(values.get(row[kind]), ".4f") for row in groups)))
        tables.append(scrolling_table(f"{title}: {metric}", ("model", *head), rows))
    folded = f"<details><summary>The same as numbers</summary>{''.join(tables)}</details>"
    return [Html(folded)] if tables else []


def beyond_table(models: Sequence[Mapping[str, Any]]) -> Html:
    """Return novelty, spread, diversity and calibration of the lists."""
    known = _known(models, "beyond")
    if not known:
        return Html()
    metrics = list(known[0][1]["metrics"])
    head = [
        Html(f"{escape(metric)}<small>{escape(MEANINGS.get(metric.partition('@')[0], ''))}</small>")
        for metric in metrics
    ]
    rows = [
        (name, *(_number(beyond["metrics"][metric]["value"], ".3f") for metric in metrics)) for name, beyond in known
    ]
    return scrolling_table("What the lists are like", ("model", *head), rows)


def reranked_tables(models: Sequence[Mapping[str, Any]]) -> list[Html]:
    """Return what reranking costs and gains as numbers, folded away, with what it means."""
    known = _known(models, "reranked")
    if not known:
        return []
    rows = []
    for name, reranked in known:
        base = {point["reranker"]: point["ndcg"] for point in reversed(reranked["points"])}
        for point in reranked["points"]:
            first = base[point["reranker"]]
            lost = None if not first or point["ndcg"] is None else 1 - point["ndcg"] / first
            values = (_number(point[metric], ".4f") for metric in ("ndcg", "diversity", "miscalibration"))
            rows.append((name, point["reranker"], f"{point['trade_off']:g}", *values, _number(lost, ".1%")))
    first_model = known[0][1]
    head = ("model", "reranker", "trade-off", f"ndcg@{first_model['k']}", "diversity", "miscalibration", "lost")
    note = (
        f'<p class="note">Lists of {first_model["k"]} out of {first_model["n_candidates"]} candidates, of '
        f"{first_model['n_users']:,} test users. Trade-offs as in aerec recommend --rerank: mmr:1 and calibration:0 "
        "are the order of the model.</p>"
    )
    table = scrolling_table("What diversity and calibration cost", head, rows)
    return [Html(f"{note}<details><summary>The same as numbers</summary>{table}</details>")]


def code_table(models: Sequence[Mapping[str, Any]]) -> Html:
    """Return how sparse the codes of autoencoders are."""
    rows = [
        (name, code["n_units"], f"{100 * code['at_rest']:.1f} %", f"{100 * code['silent']:.1f} %",
         f"{code['n_rows']:,} {code['of']}")
        for name, code in _known(models, "code")
    ]  # fmt: skip
    if not rows:
        return Html()
    head = ("model", "units", "at rest, mean", "at rest for all", "looked at")
    note = (
        '<p class="note">A unit is at rest within 5 % of the range of its activation from 0 (for tanh also from −1). '
        "Of a variational code the mean is looked at.</p>"
    )
    return Html(scrolling_table("Sparsity of the code", head, rows) + note)


def sample_tables(models: Sequence[Mapping[str, Any]]) -> list[Html]:
    """Return a table per user: what each model recommends, hits marked; above it, what the user has liked."""
    known = [(name, samples) for name, samples in _known(models, "samples")]
    tables = []
    for place, sample in enumerate(known[0][1] if known else []):
        lists = [(name, samples[place]["recommended"]) for name, samples in known if len(samples) > place]
        depth = max((len(items) for _, items in lists), default=0)
        rows = [
            (rank + 1, *(_recommended(items[rank]) if rank < len(items) else _NONE for _, items in lists))
            for rank in range(depth)
        ]
        shown, n_history = sample["history"], sample["n_history"]
        more = f" and {n_history - len(shown):,} more" if n_history > len(shown) else ""
        heading = f"User {sample['user']}"
        intro = (
            f"<h3>{escape(heading)}</h3><p>History: {escape('; '.join(shown) + more)}.</p>"
            f'<p class="note">Held out, to be found: {sample["n_target"]:,}.</p>'
        )
        head = ("rank", *(name for name, _ in lists))
        table = scrolling_table(f"Recommended to user {sample['user']}; ✓ was held out", head, rows, "lists")
        tables.append(Html(intro + table))
    return tables


def parameters_table(models: Sequence[Mapping[str, Any]]) -> Html:
    """Return the hyper-parameters of each model."""
    rows = [
        (name, Html(", ".join(f"<code>{escape(f'{key}={value}')}</code>" for key, value in parameters.items())))
        for name, parameters in _known(models, "parameters")
    ]
    return scrolling_table("Hyper-parameters", ("model", "parameters"), rows, "words") if rows else Html()


def scrolling_table(caption: str, head: Sequence[Any], rows: Sequence[Sequence[Any]], kind: str = "numbers") -> Html:
    """Return a table in a region that scrolls by itself where the screen is narrow, also by keyboard."""
    table = html_table(caption, head, rows)
    return Html(f'<div class="scroll {kind}" role="region" aria-label="{escape(caption)}" tabindex="0">{table}</div>\n')


# ---------------------------------------------------------------------- cells


def _measured(value: Mapping[str, Any], best: bool) -> Html:
    low, high = value["interval"]
    mean = _number(value["mean"], ".4f")
    marked = f'<strong>{mean} <span aria-hidden="true">★</span><span class="hidden">among the best</span></strong>'
    interval = f"<small>[{low:.4f}, {high:.4f}]</small>" if low is not None and high is not None else ""
    return Html((marked if best else mean) + interval)


def _recommended(item: Mapping[str, Any]) -> Html:
    title = escape(str(item["title"]))
    if not item["hit"]:
        return Html(title)
    return Html(
        f'<span class="hit">{title} <span aria-hidden="true">✓</span><span class="hidden">held out</span></span>'
    )


def _group(kind: str, row: Mapping[str, Any], size: str) -> Html:
    what = f"{row[size]:,} {'items' if size == 'n_items' else 'users'}"
    if kind == "activity":
        what += f", {row['shortest']:,} to {row['longest']:,} ratings"
    return Html(f"{escape(str(row[kind]))}<small>{escape(what)}</small>")


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _known(models: Sequence[Mapping[str, Any]], detail: str) -> list[tuple[str, Any]]:
    """Return name and detail of the models of which it is known."""
    return [
        (str(model["name"]), model["details"][detail]) for model in models if (model.get("details") or {}).get(detail)
    ]
