"""The pictures of a report, drawn from results: each with a heading, and in words what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from aerec.display.plotting import INK, SERIES, SOFT, new_axes, plot_history, validation_metric

_MARKERS = "os^DvPX*<"  # one fewer than colours, so that the pair differs for every model
_DASHES = ("-", "--", "-.", ":")
_LINE_HEIGHT = 0.2  # inches, of the legend
_RECALL_NOTE = (
    "recall@k = hits among the first k / min(k, held-out items). The divisor grows with k until it reaches the number "
    "of held-out items, so a curve may fall at first although longer lists find more."
)
_SHORTEST = 0.01  # seconds; shorter fits are drawn here


@dataclass(frozen=True)
class Picture:
    """A figure of matplotlib with the words around it.

    Attributes
    ----------
    name : str
        Of its files.
    section : str
        Where on the page it stands: "quality", "groups", "beyond", "learning" or "code".
    heading : str
    alt : str
        What it shows, for those who do not see it.
    figure : matplotlib.figure.Figure
    note : str
        How to read it, for below; empty where nothing needs saying.
    """

    name: str
    section: str
    heading: str
    alt: str
    figure: Any
    note: str = ""


def draw_pictures(results: Mapping[str, Any]) -> list[Picture]:
    """Draw what `results` allows: a picture whose numbers are not there is left out."""
    models = results["models"]
    style = {str(model["name"]): _style(place) for place, model in enumerate(models)}
    metric = next(iter(models[0]["metrics"]), None)
    drawn = [
        None if metric is None else _quality_by_time(models, metric, style),
        _recall_by_depth(models, style),
        _by_group(models, style, "popularity", "Quality by popularity of the item", _POPULAR),
        _by_group(models, style, "activity", "Quality by activity of the user", _ACTIVE),
        *(_reranked(models, style, *curve) for curve in _CURVES),
        _validation(models, style),
        *(_learning(model) for model in models),
        *(draw(model) for model in models for draw in (_activations, _use_of_units)),
    ]
    taken: dict[str, int] = {}
    named = []
    for picture in drawn:
        if picture is not None:
            taken[picture.name] = taken.get(picture.name, 0) + 1
            again = "" if taken[picture.name] == 1 else f"-{taken[picture.name]}"
            named.append(replace(picture, name=picture.name + again))
    return named


# ---------------------------------------------------------------------- quality


def _quality_by_time(models: list[Any], metric: str, style: Mapping[str, Any]) -> Picture | None:
    timed = [model for model in models if model.get("fit_seconds") is not None]
    if not timed:
        return None
    axes = new_axes()
    words = []
    for model in timed:
        value, seconds = model["metrics"][metric], model["fit_seconds"]
        (low, high), mean, look = value["interval"], value["mean"], style[str(model["name"])]
        error = None if low is None or high is None else [[max(mean - low, 0)], [max(high - mean, 0)]]
        axes.errorbar(
            max(seconds, _SHORTEST), mean, yerr=error, capsize=3, label=_label(model), **look | {"linestyle": "none"}
        )
        words.append(f"{model['name']} {mean:.3f} in {seconds:.3g} s")
    axes.set_xscale("log")
    _plain_ticks(axes, [max(model["fit_seconds"], _SHORTEST) for model in timed])
    axes.set_xlabel("seconds to fit (log scale)")
    axes.set_ylabel(f"{metric}, 95 % interval")
    _legend(axes, len(timed))
    alt = f"{metric} against seconds to fit. {_sentence(words)}"
    return Picture("quality-by-time", "quality", f"{metric} against the time of the fit", alt, axes.figure)


def _recall_by_depth(models: list[Any], style: Mapping[str, Any]) -> Picture | None:
    known = [(model, model["details"]["recall_at"]) for model in models if _detail(model, "recall_at")]
    if not known:
        return None
    axes = new_axes()
    words = []
    for model, pairs in known:
        depths, values = zip(*pairs, strict=True)
        axes.plot(depths, values, label=_label(model), **style[str(model["name"])])
        words.append(f"{model['name']} from {values[0]:.3f} at {depths[0]} to {values[-1]:.3f} at {depths[-1]}")
    axes.set_xscale("log")
    ticks = sorted({depth for _, pairs in known for depth, _ in pairs})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("k, the length of the list (log scale)")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("recall@k")
    _legend(axes, len(known))
    alt = f"recall@k for lists of several lengths k. {_sentence(words)}"
    return Picture("recall-by-k", "quality", "recall@k against k", alt, axes.figure, _RECALL_NOTE)


# ---------------------------------------------------------------------- groups

_POPULAR = "popularity of the target items, a third of the ratings each"
_ACTIVE = "activity of the users: thirds by length of history"


def _by_group(models: list[Any], style: Mapping[str, Any], kind: str, heading: str, axis_label: str) -> Picture | None:
    known = [(model, model["details"]["groups"]) for model in models if _detail(model, "groups")]
    groups = list(dict.fromkeys(row[kind] for _, groups_of in known for row in groups_of[f"by_{kind}"]))
    if not groups:
        return None
    metric = known[0][1]["metric"]
    axes = new_axes()
    words = []
    for model, groups_of in known:
        values = {row[kind]: row["value"] for row in groups_of[f"by_{kind}"]}
        drawn = [np.nan if values.get(group) is None else values[group] for group in groups]
        axes.plot(range(len(groups)), drawn, label=_label(model), **style[str(model["name"])])
        values_in_words = [f"{group} {value:.3f}" for group, value in zip(groups, drawn, strict=True) if value == value]
        words.append(f"{model['name']}: {', '.join(values_in_words)}")
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.3, len(groups) - 0.7)
    if metric.startswith("recall"):
        axes.set_ylim(bottom=0)
    axes.set_xlabel(axis_label)
    axes.set_ylabel(metric)
    _legend(axes, len(known))
    return Picture(f"quality-by-{kind}", "groups", heading, f"{metric} by group. {_sentence(words)}", axes.figure)


# ---------------------------------------------------------------------- reranked

_CURVES = (
    ("mmr", "diversity", "diversity of the list by genre", "Quality against diversity: marginal relevance"),
    ("calibration", "miscalibration", "miscalibration of the list by genre (KL)", "Quality against calibration"),
)


def _reranked(
    models: list[Any], style: Mapping[str, Any], reranker: str, what: str, axis_label: str, heading: str
) -> Picture | None:
    """Draw a line a model: each point is a trade-off of a reranker."""
    curves = []
    for model in models:
        points = (_detail(model, "reranked") or {}).get("points", [])
        points = [point for point in points if point["reranker"] == reranker]
        known = [point for point in points if point["ndcg"] is not None and point[what] is not None]
        if known:
            curves.append((model, known))
    if not curves:
        return None
    k = curves[0][0]["details"]["reranked"]["k"]
    axes = new_axes()
    words = []
    for model, known in curves:
        axes.plot(
            [point[what] for point in known],
            [point["ndcg"] for point in known],
            label=_label(model),
            **style[str(model["name"])],
        )
        for point in known:
            axes.annotate(
                f"{point['trade_off']:g}",
                (point[what], point["ndcg"]),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=7,
                color=SOFT,
            )
        first, last = known[0], known[-1]
        words.append(
            f"{model['name']} from {first['ndcg']:.3f} at {first[what]:.3f} (trade-off {first['trade_off']:g}) to "
            f"{last['ndcg']:.3f} at {last[what]:.3f} ({last['trade_off']:g})"
        )
    axes.set_xlabel(axis_label)
    axes.set_ylabel(f"ndcg@{k}")
    _legend(axes, len(curves))
    alt = f"ndcg@{k} against {axis_label}, for several trade-offs. {_sentence(words)}"
    return Picture(f"reranked-{reranker}", "beyond", heading, alt, axes.figure)


# ---------------------------------------------------------------------- learning


def _validation(models: list[Any], style: Mapping[str, Any]) -> Picture | None:
    curves = [(model, _history(model)) for model in models]
    named = [(model, history, validation_metric(history)) for model, history in curves if history is not None]
    metrics = [metric for _, _, metric in named if metric is not None]
    if len(metrics) < 2 or len(set(metrics)) > 1:
        return None
    metric = metrics[0]
    axes = new_axes()
    words = []
    for model, history, own in named:
        if own is not None:
            look = style[str(model["name"])] | {"markevery": max(1, len(history) // 8), "markersize": 4}
            axes.plot(history["epoch"], history[metric], label=_label(model), **look)
            words.append(f"{model['name']} {history[metric].iloc[-1]:.3f} after {len(history)} epochs")
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {metric.replace('_', ' ').removeprefix('validation ')}")
    _legend(axes, len(metrics))
    alt = f"{metric} on validation data after each epoch. {_sentence(words)}"
    return Picture("validation", "learning", "Validation, epoch by epoch", alt, axes.figure)


def _learning(model: Any) -> Picture | None:
    history = _history(model)
    if history is None:
        return None
    axes = plot_history(history, new_axes())
    first, last = history["cost"].iloc[0], history["cost"].iloc[-1]
    alt = f"Cost of {model['name']} in training, from {first:.4g} to {last:.4g} in {len(history)} epochs"
    metric = validation_metric(history)
    if metric is not None:
        alt += f"; {metric} on validation data from {history[metric].iloc[0]:.3f} to {history[metric].iloc[-1]:.3f}"
    heading = f"{model['name']}: cost and validation"
    return Picture(f"learning-{_slug(model)}", "learning", heading, f"{alt}.", axes.figure)


def _history(model: Any) -> pd.DataFrame | None:
    records = _detail(model, "history")
    return pd.DataFrame(records).astype(float) if records else None


# ---------------------------------------------------------------------- codes


def _activations(model: Any) -> Picture | None:
    code = _detail(model, "code")
    if not code:
        return None
    edges = np.asarray(code["edges"], dtype=float)
    counts = np.asarray(code["counts"], dtype=float)
    all_values = code["n_rows"] * code["n_units"]
    at_rest = f"{100 * code['at_rest']:.0f} % at rest"
    left_out = counts.sum() < all_values  # else the results are of a version that counted those at rest, too
    axes = new_axes()
    axes.stairs(counts / max(all_values, 1), edges, fill=True, color=SERIES[0], alpha=0.8)
    axes.set_xlabel("activation of a unit")
    axes.set_ylabel("share of all activations")
    axes.set_title(f"{at_rest}, not drawn" if left_out else at_rest, fontsize=10, color=INK, loc="right")
    top = int(counts.argmax())
    alt = (
        f"Histogram of the activations of {code['n_units']} units of {model['name']} over {code['n_rows']} "
        f"{code['of']}: {at_rest}, the others most often between {edges[top]:.2g} and {edges[top + 1]:.2g}."
    )
    return Picture(f"code-{_slug(model)}", "code", f"{model['name']}: activations of the code", alt, axes.figure)


def _use_of_units(model: Any) -> Picture | None:
    code = _detail(model, "code")
    if not code or not code.get("use"):
        return None
    use = np.asarray(code["use"], dtype=float)
    axes = new_axes()
    axes.fill_between(np.linspace(0, 100, len(use)), use, color=SERIES[0], alpha=0.8, step="mid")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, max(1.05 * use.max(initial=0), 0.01))
    axes.set_xlabel("units, the most used first, %")
    axes.set_ylabel(f"active for this share of the {code['of']}")
    middle = use[len(use) // 2]
    alt = (
        f"How many {code['of']} each unit of {model['name']} is active for: the most used for {100 * use[0]:.0f} %, "
        f"the middle one for {100 * middle:.0f} %, the least used for {100 * use[-1]:.0f} %."
    )
    note = "Units at 0 are never active: the code could be smaller. Units that are active for all say little."
    return Picture(
        f"use-{_slug(model)}", "code", f"{model['name']}: how often each unit is active", alt, axes.figure, note
    )


# ---------------------------------------------------------------------- parts


def _detail(model: Any, name: str) -> Any:
    return (model.get("details") or {}).get(name)


def _style(place: int) -> dict[str, Any]:
    return {
        "color": SERIES[place % len(SERIES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _DASHES[place // len(SERIES) % len(_DASHES)],
        "markersize": 5,
        "linewidth": 1.5,
    }


def _label(model: Any) -> str:
    name = str(model["name"])
    return f" {name}" if name.startswith("_") else name  # matplotlib would leave it out of the legend


def _slug(model: Any) -> str:
    name = str(model["name"])
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name).strip("-") or "model"


def _sentence(words: Iterable[str]) -> str:
    return f"{'; '.join(words)}."


def _legend(axes: Any, n_entries: int) -> None:
    """Put the names below the axes; the figure grows with them, not at the cost of the axes."""
    columns = min(n_entries, 3)
    width, height = axes.figure.get_size_inches()
    axes.figure.set_size_inches(width, height + _LINE_HEIGHT * max(-(-n_entries // columns) - 2, 0))
    axes.figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9, labelcolor=INK)


def _plain_ticks(axes: Any, values: list[float]) -> None:
    """Label powers of ten as plain numbers, and enough of them: matplotlib would set them as formulas."""
    low, high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))
    if low == high:
        low, high = low - 1, high + 1
    ticks = [float(10.0**power) for power in np.arange(low, high + 1)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", color=SOFT)
