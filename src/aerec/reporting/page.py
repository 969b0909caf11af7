"""write_report: results as one HTML page that needs no network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from aerec.display.notebook import Html
from aerec.display.plotting import import_matplotlib
from aerec.errors import DataError
from aerec.files.atomic import atomic_write
from aerec.reporting.pictures import Picture, draw_pictures
from aerec.reporting.schema import check_results
from aerec.reporting.svg import inline_svg, matplotlib_style, save_picture
from aerec.reporting.tables import (
    beyond_table,
    code_table,
    differences_table,
    groups_tables,
    parameters_table,
    quality_table,
    reranked_tables,
    sample_tables,
    scrolling_table,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_report(
    results: Mapping[str, Any], path: str | os.PathLike[str], *, plots: str | os.PathLike[str] | None = None
) -> None:
    """Write one HTML page with tables and pictures of `results`: styles and pictures are inside, nothing is loaded.

    The same results give the same page. It is written whole or not at all.

    Parameters
    ----------
    results : mapping
        What `measure_models` gives, `aerec benchmark --json` prints and `read_results` reads. Without "details" of
        the models there are the table and the time of the fits only.
    path : path-like
        Of the page, such as ``report.html``.
    plots : path-like, optional
        A folder, made where absent, for the pictures as PNG and SVG files.

    Raises
    ------
    DataError
        If the results cannot be put on a page, or the path is none for a file.
    MissingExtraError
        Without matplotlib: ``pip install 'aerec[report]'``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reporting import measure_models, write_report
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> results = measure_models({"popularity": Popularity().fit(split.train)}, split, data="sample")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(results, Path(folder) / "report.html")
    ...     (Path(folder) / "report.html").read_text(encoding="utf-8").splitlines()[0]
    '<!doctype html>'
    """
    target = check_report_path(path, plots)
    check_results(results)
    with matplotlib_style():
        pictures = draw_pictures(results)
        page = render_page(results, pictures)
        if plots is not None:
            folder = Path(plots)
            folder.mkdir(parents=True, exist_ok=True)
            for picture in pictures:
                save_picture(picture, folder)
    with atomic_write(target) as stream:
        stream.write(page)


def check_report_path(path: str | os.PathLike[str], plots: str | os.PathLike[str] | None = None) -> Path:
    """Return where a report is to be written, after checking that it can be; called before anything takes long.

    Raises
    ------
    DataError
        If `path` is a folder or its folder does not exist, or `plots` is a file.
    PermissionError
        If the folder cannot be written to.
    MissingExtraError
        Without matplotlib.
    """
    import_matplotlib()
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{target} is a folder; give the path of a file, such as {target / 'report.html'}")
    if not target.parent.is_dir():
        raise DataError(f"{target} cannot be written: {target.parent} is no folder; make it first")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"{target} cannot be written: no permission to write into {target.parent}")
    if plots is not None and Path(plots).exists() and not Path(plots).is_dir():
        raise DataError(f"{plots} is a file; pictures are written into a folder, give another path")
    return target


def render_page(results: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the page as text; `pictures` are those of the same results."""
    shown = {
        section: [_figure(picture) for picture in pictures if picture.section == section]
        for section in ("quality", "groups", "beyond", "learning", "code")
    }
    models = results["models"]
    sections: list[tuple[str, str, list[str]]] = [
        ("quality", "Quality", [*_quality(results), _grid(shown["quality"])]),
        ("groups", "By popularity and activity", [_grid(shown["groups"]), *groups_tables(models)]),
        ("beyond", "Beyond accuracy", [beyond_table(models), _grid(shown["beyond"]), *reranked_tables(models)]),
        ("learning", "Learning curves", [_grid(shown["learning"])]),
        ("code", "Codes", [code_table(models), _grid(shown["code"])]),
        ("samples", "Recommendations to a few users", [*sample_tables(models)]),
        ("made", "How it was made", _made(results)),
    ]
    filled = [(name, title, "".join(parts)) for name, title, parts in sections if any(parts)]
    links = "".join(f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title, _ in filled)
    body = "".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{content}</section>\n'
        for name, title, content in filled
    )
    title = f"{_count(len(models), 'model')} on {results['data']}"
    css = files("aerec.reporting").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style></head>\n<body>\n"
        '<a class="skip" href="#quality">To the results</a>\n'
        f"<header><h1>{escape(title)}</h1>{_summary(results)}"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f"<main>\n{body}</main>\n<footer>Written by aerec {escape(_version(results))}. No part of this page is loaded "
        "from elsewhere.</footer>\n</body></html>\n"
    )


def _summary(results: Mapping[str, Any]) -> str:
    left_out = results["n_left_out"]
    words = [
        f"{_count(results['n_users'], 'test user')}"
        + (f" ({left_out:,} left out: nothing to find)" if left_out else ""),
        f"split: {results['split']}" if results["split"] else "",
        "" if results.get("seed") is None else f"seed {results['seed']}",
        f"aerec {_version(results)}",
    ]
    return f"<p>{escape('; '.join(word for word in words if word))}</p>"


def _quality(results: Mapping[str, Any]) -> Iterable[str]:
    yield quality_table(results)
    if results["best"]:
        alpha = results.get("best_alpha", 0.05)
        yield (
            '<p class="note">★ the best of its column, and those not significantly worse: paired t-test over users '
            f"against the best, Holm-corrected for all pairs and metrics, p ≥ {alpha:g}; of coverage the best "
            "only. In brackets: 95 % bootstrap intervals over users.</p>"
        )
    if results.get("differences"):
        yield f"<details><summary>All pairs of models</summary>{differences_table(results['differences'])}</details>"


def _made(results: Mapping[str, Any]) -> list[str]:
    machine = results["machine"]
    memory = machine.get("memory")
    rows = [
        ("processor", machine.get("processor") or "unknown"),
        ("cores", machine.get("cores", "unknown")),
        ("memory", f"{memory / 2**30:.0f} GiB" if isinstance(memory, int | float) else "unknown"),
        ("system", machine.get("system", "unknown")),
        *results["versions"].items(),
    ]
    return [parameters_table(results["models"]), scrolling_table("Machine and versions", (), rows, "words")]


def _version(results: Mapping[str, Any]) -> str:
    return str(results["versions"].get("aerec", ""))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _figure(picture: Picture) -> Html:
    note = f'<p class="note">{escape(picture.note)}</p>' if picture.note else ""
    return Html(f"<figure><figcaption>{escape(picture.heading)}</figcaption>{inline_svg(picture)}{note}</figure>")


def _grid(figures: Sequence[str]) -> str:
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""
