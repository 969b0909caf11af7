"""`aerec serve`: a run over HTTP, with a web page."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import FeatureText, ItemColumn, Json, NewItems
from aerec.cli.output import print_json, print_note

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="AEREC_TOKEN", help="Ask for it as Authorization: Bearer …; others can see it here."),
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="Another run, shown beside the first.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Requests computed at a time; by default the number of cores.")
    ] = None,
    queue: Annotated[int, typer.Option(min=0, help="Requests that may wait; beyond, 503.")] = 64,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Answer to this name in Host too, without a token on this machine; repeatable."),
    ] = None,
    reload_seconds: Annotated[
        float, typer.Option(min=0.0, help="How often to look for a newer run in the folder; 0: on SIGHUP only.")
    ] = 2.0,
    new_items: NewItems = None,
    item: ItemColumn = None,
    text: FeatureText = None,
    json: Json = False,
) -> None:
    """Serve recommendations as an HTTP API and a web page until Ctrl-C or SIGTERM; requests under way are answered."""
    import torch

    from aerec.runs.new_items import FeatureFile
    from aerec.serving import require_serving
    from aerec.system.threads import one_blas_thread

    require_serving()
    if token is not None and not token.strip():
        raise ValueError("--token (or AEREC_TOKEN) is empty; give a long random text, or leave it out")
    from aerec.serving.app import create_app
    from aerec.serving.connections import make_server
    from aerec.serving.settings import Settings

    if new_items is None and (item is not None or text):
        raise ValueError("--item and --text are said of --new-items FILE: name the file")
    features = None if new_items is None else FeatureFile(new_items.expanduser(), item, tuple(text or ()))
    logging.basicConfig(format="aerec: %(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("aerec").setLevel(logging.INFO)
    torch.set_num_threads(1)
    more = {} if threads is None else {"threads": threads}
    app = create_app(
        run,
        compare=compare,
        token=token.strip() if token else None,
        new_items=features,
        settings=Settings(
            queue=queue, reload_seconds=reload_seconds, hosts=tuple(name.lower() for name in allow_host or ()), **more
        ),
    )
    listening = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    engines = [served.engine for served in app.state.served.values()]
    open_to_all = host not in _LOOPBACK and token is None
    if json:
        models = [{"name": engine.name, "n_items": len(engine.catalogue)} for engine in engines]
        started = {"address": address, "models": models, "token": token is not None, "pid": os.getpid()}
        print_json(started, on_one_line=True)
    else:
        if open_to_all:
            print_note("everybody who reaches this address is answered; give --token to ask for one")
        for engine in engines:
            print_note(f"{engine.name}: {len(engine.catalogue):,} items")
        print_note(f"serving on {address} (API: /docs), Ctrl-C stops")
    server = make_server(app, timeout_graceful_shutdown=30)
    gc.collect()
    gc.freeze()  # what is there now stays: a collection that walks through all of it would hold requests up
    with contextlib.suppress(KeyboardInterrupt), listening, one_blas_thread():  # a request has one thread
        server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot listen on {host} port {port}: {reason}; give another --host or --port") from None
    # connections inherit it: head and body of an answer leave at once, where Nagle's algorithm would hold the body back
    # for the 40 ms in which the other side puts off its acknowledgement
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
