"""`aerec recommend`: the best items for known users, for someone new, or for all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aerec.cli.options import FeatureText, ItemColumn, Json, NewItems
from aerec.cli.output import check_output, print_json, print_note, print_table, write_frame
from aerec.errors import DataError
from aerec.numerals import whole_from_text

if TYPE_CHECKING:
    import pandas as pd

    from aerec.interactions import Interactions
    from aerec.recommender.base import Recommender
    from aerec.reranking import Reranker
    from aerec.runs.folder import Run
    from aerec.runs.new_items import FeatureFile

_EXPLAINED = 3


def recommend(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`.")],
    user: Annotated[
        list[str] | None, typer.Option("--user", "-u", help="Id of a user of the data; repeatable.")
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            help="For someone new: item ids separated by commas; item:rating where ratings matter. "
            'Ids that hold , or : stand in quotes: "a:b":5.'
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Items per user.")] = 10,
    explain: Annotated[
        bool, typer.Option("--explain", help=f"Name the {_EXPLAINED} items of the history that speak most for each.")
    ] = False,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also items of the history.")] = False,
    allow: Annotated[str | None, typer.Option(help="Choose from these item ids only: 1,2,3 or @FILE.")] = None,
    block: Annotated[str | None, typer.Option(help="Never show these item ids: 1,2,3 or @FILE.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to .csv, .tsv, .json or .jsonl, also .gz, or .parquet, for all users where none is named; "
            "with --all to a folder."
        ),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="For all users, as Parquet parts in the folder --out; only missing ones.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(help="With --all: i/n, only each n-th part from the i-th; by torchrun's rank if not given."),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(
            help="Choose the k from more candidates: mmr:0.7 (unlike each other), calibration:0.5 (genres as in the "
            "history), tail:0.2 (a share for little-known items)."
        ),
    ] = None,
    steer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNIT:WEIGHT",
            help="Turn a unit of the code of a sparse-code up or down; repeatable. aerec units RUN lists them.",
        ),
    ] = None,
    new_items: NewItems = None,
    item: ItemColumn = None,
    text: FeatureText = None,
    json: Json = False,
) -> None:
    """Recommend the k best items; what a user has rated is left out."""
    from aerec.cli.history import known_items, new_user
    from aerec.cli.settings import parse_ids
    from aerec.reranking.named import known_of_items, n_candidates, parse_reranker
    from aerec.runs.batch_recommend import with_titles
    from aerec.runs.folder import read_run, users_left_out
    from aerec.runs.new_items import FeatureFile

    features = None if new_items is None else FeatureFile(new_items, item, tuple(text or ()))
    if features is None and (item is not None or text):
        raise ValueError("--item and --text are said of --new-items FILE: name the file")
    for_all = everybody or shard is not None
    if for_all and (user or history is not None or explain or out is None or not everybody):
        raise ValueError("--all goes with --out FOLDER, and --shard with both; not with --user, --history, --explain")
    reranker = None if rerank is None else parse_reranker(rerank)
    if for_all and out is not None:
        _recommend_all(
            run,
            out,
            k,
            shard,
            reranker,
            steer or [],
            features,
            include_seen=include_seen,
            allow=allow,
            block=block,
            json=json,
        )
        return
    if user and history is not None:
        raise ValueError("give --user or --history, not both")
    if not user and history is None and out is None:
        read_run(run)  # a run that is not there is the first thing to say
        raise ValueError("name the users: --user ID, --history ID,ID,… for someone new, or --out FILE for all users")
    if out is not None:
        check_output(out)
    opened = read_run(run) if features is None else features.add_to(read_run(run))
    data, model = opened.data, _steered(opened, steer or [])
    allowed = None if allow is None else known_items(allow, data.items, "--allow")
    blocked = None if block is None else known_items(block, data.items, "--block")
    seen = data.select_users(_known_users(opened, parse_ids(user, data.users, "user"))) if user else data
    if history is not None:
        newcomer = new_user(opened, history)
        seen = newcomer.seen
        if newcomer.disliked and not include_seen:
            blocked = [*(blocked or []), *newcomer.disliked]
    wanted = min(k if reranker is None else n_candidates(k), data.shape[1])
    frame = model.recommend(seen, wanted, exclude_seen=not include_seen, allow_items=allowed, block_items=blocked)
    if reranker is not None:
        frame = reranker.rerank(frame, seen, k, features=known_of_items(reranker, data))
    frame = with_titles(frame, data)
    if explain:
        frame["because"] = _reasons(model, seen, frame)
    if history is not None:
        frame = frame.drop(columns="user")
    if out is not None:
        write_frame(frame, out)
    if json:
        print_json(frame.to_dict(orient="records"))
    elif out is not None:
        notes = [f"{len(frame):,} recommendations for {seen.shape[0]:,} users in {out}"]
        print_note("; ".join(notes if seen is not data else [*notes, *filter(None, [users_left_out(opened)])]))
    elif frame.empty:
        print_note("nothing is left to recommend: all candidates are in the history or barred")
    else:
        print_table(frame.assign(because=frame["because"].map("; ".join)) if explain else frame)


def _recommend_all(
    run: Path,
    out: Path,
    k: int,
    shard: str | None,
    reranker: Reranker | None,
    steer: list[str],
    features: FeatureFile | None,
    *,
    include_seen: bool,
    allow: str | None,
    block: str | None,
    json: bool,
) -> None:
    from aerec.cli.history import known_items
    from aerec.cli.ranks import rank_and_size
    from aerec.runs.batch_recommend import recommend_all
    from aerec.runs.folder import read_run, run_fingerprint, users_left_out

    opened = read_run(run)
    fingerprint = [run_fingerprint(opened), *steer, *([] if features is None else [features.fingerprint()])]
    opened = opened if features is None else features.add_to(opened)
    data = opened.data
    result = recommend_all(
        _steered(opened, steer),
        data,
        out,
        min(k, data.shape[1]),
        fingerprint=" ".join(fingerprint),
        exclude_seen=not include_seen,
        allow_items=None if allow is None else known_items(allow, data.items, "--allow"),
        block_items=None if block is None else known_items(block, data.items, "--block"),
        reranker=reranker,
        shard=rank_and_size() if shard is None else _shard(shard),
    )
    if json:
        print_json({"out": str(out), "n_users": data.shape[0], **asdict(result)})
        return
    state = "all there" if result.complete else "others are still missing"
    notes = [f"{result.written} of {result.n_parts} parts written, {result.kept} kept, in {out}: {state}"]
    print_note("; ".join([*notes, *filter(None, [users_left_out(opened)])]))


def _known_users(run: Run, users: list[Any]) -> list[Any]:
    """Return `users`; a DataError says which one the run does not know, and that it may have been left out."""
    from aerec.ids import examples
    from aerec.runs.folder import users_left_out

    unknown = [user for user in users if user not in run.data.users]
    if unknown:
        left_out = users_left_out(run)
        hint = f"; {left_out}: it may be one of them. --history ITEM,ITEM recommends to anybody" if left_out else ""
        raise DataError(
            f"unknown user {unknown[0]!r}: not among the {run.data.n_users:,} users of this run, such as "
            f"{examples(run.data.users, 2)}{hint}"
        )
    return users


def _steered(run: Run, texts: list[str]) -> Recommender:
    """Return the model of a run with some units turned up or down."""
    from aerec.runs.steering import parse_weights

    return run.model.steer(parse_weights(texts)) if texts else run.model


def _shard(text: str) -> tuple[int, int]:
    number, _, size = text.partition("/")
    try:
        at, n = whole_from_text(number), whole_from_text(size)
    except ValueError:
        at = n = 0
    if not 1 <= at <= n:
        raise ValueError(f"--shard {text!r} is no share; write i/n with i from 1 to n, such as 1/4")
    return at - 1, n


def _reasons(model: Recommender, seen: Interactions, frame: pd.DataFrame) -> list[list[str]]:
    names = seen.item_names
    reasons = []
    for user, item in zip(frame["user"], frame["item"], strict=True):
        terms = model.explain(seen.select_users([user]), item, _EXPLAINED)
        helpful = terms.loc[terms["contribution"] > 0, "item"]
        reasons.append([str(item_id if names is None else names[item_id]) for item_id in helpful])
    return reasons
