"""What is fuzzed: everything that reads a file from outside, as functions of its bytes.

A target raises only what is not documented: anything but aerec's own errors, ValueError, TypeError and OSError. Damage
to saved models and checkpoints is signed anew, so that it gets past the checksum, as a forger's would.
"""

import contextlib
import functools
import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from safetensors.numpy import save as dump_tensors

from aerec import Interactions, load_model
from aerec.baselines import BiasedMF, ItemKNN, RP3Beta, UserKNN
from aerec.datasets import generate_interactions, import_parquet, open_store, read_parts, read_ratings
from aerec.datasets.catalogue import Card, tomllib
from aerec.datasets.saved import load_interactions, save_interactions
from aerec.errors import AerecError
from aerec.evaluation import average_precision_at_k, hit_rate_at_k, ndcg_at_k, recall_at_k
from aerec.files.storage import FORMAT_VERSION, _digest, read_header, write_header
from aerec.models import (
    CDAE,
    EASE,
    ELSA,
    AutoRec,
    Blend,
    LowRankEDLAE,
    RatingBlend,
    RecVAE,
    SparseEASE,
)
from aerec.recommender.saving import training_identity
from aerec.runs.folder import read_run

DOCUMENTED = (AerecError, ValueError, TypeError, OSError)


@contextlib.contextmanager
def documented():
    with warnings.catch_warnings(), contextlib.suppress(*DOCUMENTED):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def folder_with(files):
    with tempfile.TemporaryDirectory(prefix="aerec-fuzz-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        yield Path(folder)


# ---------------------------------------------------------------------- readers


def reader(name, **beside):
    """Read the bytes as a file of that name, with other files beside it."""

    def target(data):
        with folder_with({name: data, **beside}) as folder, documented():
            found = read_ratings(folder / name)
            assert np.isfinite(found.matrix.data).all()
            assert found.matrix.has_canonical_format

    return target


def titles(name, ratings_name, ratings):
    """Read the bytes as the file of titles that lies beside good ratings."""

    def target(data):
        with folder_with({ratings_name: ratings, name: data}) as folder, documented():
            read_ratings(folder / ratings_name)

    return target


def parts(data):
    with folder_with({"train.txt": data, "test.txt": b"0 1 2\n1 3\n"}) as folder, documented():
        read_parts(folder)


def named_columns(data):
    with folder_with({"mine.txt": data}) as folder, documented():
        read_ratings(folder / "mine.txt", columns=("user", "item", "rating"), timestamp=None)


# ---------------------------------------------------------------------- files of aerec


def signed(kind, header, payload):
    """Return the two files of a folder that `write_folder` could have written, whatever is in them."""
    digest = hashlib.sha256(payload).hexdigest()
    whole = {"format_version": FORMAT_VERSION, "aerec_version": "0", "kind": kind, **header}
    whole["tensors"] = {"file": f"{kind}-x.safetensors", "sha256": digest}
    with contextlib.suppress(RecursionError):
        return {
            f"{kind}.json": json.dumps({**whole, "sha256": _digest(whole)}).encode(),
            f"{kind}-x.safetensors": payload,
        }
    return {}


def pack(header, payload):
    """Return header and tensors as one input: what `unpack` takes apart."""
    return json.dumps(header).encode() + b"\n\xff\n" + payload


def unpack(data):
    text, _, payload = data.partition(b"\n\xff\n")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError
    return header, payload


def model(data):
    with contextlib.suppress(ValueError, RecursionError):
        files = signed("model", *unpack(data))
        with folder_with(files) as folder, documented():
            found = load_model(folder)
            if found.n_features_in_ <= 10_000:
                found.recommend(np.zeros((2, found.n_features_in_), np.float32), k=3)


def interactions(data):
    with contextlib.suppress(ValueError, RecursionError):
        files = signed("interactions", *unpack(data))
        with folder_with(files) as folder, documented():
            load_interactions(folder)


def run(data):
    with folder_with({"run.json": data}) as folder, documented():
        read_run(folder)


def store(data):
    """Read the bytes as one array of a store, whose header is signed anew."""
    folder_of = good_store()
    with folder_with({**folder_of, "data.npy": data}) as folder, documented():
        header = read_header(folder, "store")
        header["files"]["data.npy"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        write_header(folder, "store", header)
        open_store(folder)


@functools.cache
def good_store():
    with tempfile.TemporaryDirectory() as folder:
        sample().to_frame().to_parquet(Path(folder, "films.parquet"))
        import_parquet(Path(folder, "films.parquet"), Path(folder, "store"))
        return {path.name: path.read_bytes() for path in Path(folder, "store").iterdir()}


def header(data):
    with folder_with({"model.json": data}) as folder, documented():
        read_header(folder, "model")


def checkpoint(data):
    with contextlib.suppress(ValueError, RecursionError):
        given, payload = unpack(data)
        likes = sample().binarize()
        trained = CDAE(hidden=3, epochs=2, batch_size=40, progress=False)
        given["identity"] = training_identity(trained, likes, None)
        with folder_with(signed("checkpoint", given, payload)) as folder, documented():
            trained.fit(likes, checkpoint=folder)


def card(data):
    with documented(), contextlib.suppress(RecursionError):  # tomllib's own, of brackets in brackets
        content = tomllib.loads(data.decode("utf-8"))
        try:
            Card.from_toml(content)
        except RecursionError as error:
            raise AssertionError from error


def frame(data):
    """Read the bytes as values of a frame of every kind."""
    values = [json_value(line) for line in data.split(b"\n")]
    third = max(1, len(values) // 3)
    columns = [values[:third], values[third : 2 * third], values[2 * third : 3 * third]]
    with documented():
        table = pd.DataFrame(dict(zip(("user", "item", "rating"), columns, strict=True)))
        Interactions.from_frame(table)
        Interactions.from_frame(table.rename(columns={"rating": "timestamp"}), rating=None)
    with documented():
        Interactions.from_matrix(columns)


def matrix(data):
    """Read the bytes as the arrays of a sparse matrix that another program made; score it and learn from it.

    Its form, type, height, end and number of values are the first five bytes, the rest row ends, columns and values.
    """
    form, kind, n_rows, end, n_values, *rest = [*data[:5], *bytes(5)][:5] + [
        ODD_PLACES.get(value, value) for value in np.frombuffer(data[5:100], np.int8).tolist()
    ]
    made = (sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix)[form % 4]((n_rows % 5, 20))
    numbers = np.array(rest, dtype=np.int64)
    ends, n_values = len(made.indptr) - (end == 255), n_values % 30
    made.indptr = numbers[:ends]
    made.indices = numbers[ends : ends + n_values]
    made.data = numbers[-n_values:].astype((np.float64, np.int8, np.uint8, bool, np.float32, complex)[kind % 6])
    with documented():
        for model in learned():
            assert np.isfinite(model.score_items(made)).all()
            model.rank(made, 3)
        for model in (ItemKNN(k=3), EASE(), CDAE(hidden=3, **QUICK)):
            assert np.isfinite(model.fit(made).score_items(made)).all()


def lists(data):
    """Read the lines as the items shown to a user and, after a 0x00, those that were wanted."""
    rows = [
        [[json_value(one) for one in part.split(b" ") if one] for part in line.split(b"\0")]
        for line in data.split(b"\n")
    ]
    shown, wanted = [row[0] for row in rows], [row[-1] for row in rows]
    for metric in (recall_at_k, ndcg_at_k, average_precision_at_k, hit_rate_at_k):
        for target in (wanted, shown):
            with documented():
                values = metric(shown, target, k=1 + len(data) % 4)
                assert np.isnan(values).tolist() == [not row for row in target]
                assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()


@functools.cache
def learned():
    return [model.fit(sample().binarize().matrix) for model in (ItemKNN(k=3), UserKNN(k=3), EASE(), RP3Beta(k=3))]


def json_value(line):
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.decode("latin-1")


# ---------------------------------------------------------------------- good files to begin with


def sample():
    return generate_interactions(30, 20, 150, seed=0)


def saved(estimator):
    with tempfile.TemporaryDirectory() as folder:
        estimator.fit(sample().binarize()).save(folder)
        return packed(folder, "model")


def packed(folder, kind):
    given = json.loads(Path(folder, f"{kind}.json").read_text())
    payload = Path(folder, given["tensors"]["file"]).read_bytes()
    kept = {name: value for name, value in given.items() if name not in ("sha256", "tensors", "format_version")}
    return pack(kept, payload)


def saved_interactions():
    with tempfile.TemporaryDirectory() as folder:
        save_interactions(sample(), folder)
        return packed(folder, "interactions")


def saved_checkpoint():
    with tempfile.TemporaryDirectory() as folder:
        CDAE(hidden=3, epochs=1, batch_size=40, progress=False).fit(sample().binarize(), checkpoint=folder)
        return packed(folder, "checkpoint")


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def parquet(**options):
    buffer = io.BytesIO()
    sample().to_frame().astype({"user": str}).to_parquet(buffer, **options)
    return buffer.getvalue()


def parquet_of_deltas():
    encodings = {"user": "DELTA_BYTE_ARRAY", "item": "DELTA_BINARY_PACKED"}
    return parquet(use_dictionary=False, column_encoding=encodings, data_page_version="2.0")


QUICK = {"epochs": 1, "progress": False}
CSV = b"userId,movieId,rating,timestamp\n1,10,4.5,100\n2,10,3,2001-01-01\n2,11,5,101\n"
DAT = b"1::10::4::100\n2::11::5::101\n"
DATA = b"1\t10\t4\t100\n2\t11\t5\t101\n"
INTER = b"user_id:token\titem_id:token\trating:float\n1\ta\t4\n2\tb\t3\n"
MOVIES = b'movieId,title,genres\n10,"A, the (1999)",Drama|War\n11,B,(no genres listed)\n'
CARD = b"""name = "x"
title = "X"
folders = ["x"]
address = "https://example.org/x.zip"
format = "csv"
licence = "none"
homepage = "https://example.org"
citation = "X"
[statistics]
users = 1
items = 2
ratings = 3
"""

ODD_PLACES = {127: 2 * 10**9, 126: 10**12, 125: -(2**31), 124: 2**31, 123: 2**24 + 1}

# name → (function of bytes, good inputs to begin with); a good input may be a function, called when it is needed
TARGETS = {
    "csv": (reader("ratings.csv", **{"movies.csv": MOVIES}), [CSV]),
    "dat": (reader("ratings.dat"), [DAT]),
    "u.data": (reader("u.data"), [DATA]),
    "inter": (reader("x.inter"), [INTER]),
    "adjacency": (reader("train.txt"), [b"0 1 2\n1 3\n2\n", b"4000000000 9223372036854775806\n"]),
    "columns": (named_columns, [b"1 2 3\n4 5 6\n", b"1::2::3\n"]),
    "parts": (parts, [b"0 1 2\n1 3\n", b"a,b\n"]),
    "movies.csv": (titles("movies.csv", "ratings.csv", CSV), [MOVIES]),
    "movies.dat": (titles("movies.dat", "ratings.dat", DAT), [b"10::A::Drama|War\n11::B::War\n"]),
    "u.item": (titles("u.item", "u.data", DATA), [b"10|A|1|2|3" + b"|0" * 19 + b"\n"]),
    "item": (titles("x.item", "x.inter", INTER), [b"item_id:token\ttitle:token_seq\tgenre:token_seq\na\tA\tWar\n"]),
    "gz": (reader("ratings.csv.gz"), [lambda: __import__("gzip").compress(CSV)]),
    "bz2": (reader("ratings.csv"), [lambda: __import__("bz2").compress(CSV)]),
    "xz": (reader("ratings.csv"), [lambda: __import__("lzma").compress(CSV)]),
    "users.dat": (reader("users.dat"), [b"2 5 7\n1 5\n0\n"]),
    "zip": (reader("x.zip"), [lambda: zipped(ratings_csv=CSV, movies_csv=MOVIES)]),
    "parquet": (reader("x.parquet"), [parquet, lambda: parquet(compression="gzip"), parquet_of_deltas]),
    "model": (
        model,
        [
            lambda: saved(EASE()),
            lambda: saved(ItemKNN(k=3)),
            lambda: saved(UserKNN(k=3)),
            lambda: saved(SparseEASE()),
            lambda: saved(CDAE(hidden=3, **QUICK)),
            lambda: saved(RecVAE(hidden=(3, 2), **QUICK)),
            lambda: saved(AutoRec(hidden=3, **QUICK)),
            lambda: saved(ELSA(n_factors=3, **QUICK)),
            lambda: saved(RP3Beta(k=3)),
            lambda: saved(LowRankEDLAE(n_factors=3)),
            lambda: saved(Blend([EASE(), ItemKNN(k=3)])),
            lambda: saved(RatingBlend([AutoRec(hidden=3, **QUICK), BiasedMF(n_factors=2)])),
        ],
    ),
    "interactions": (interactions, [saved_interactions]),
    "checkpoint": (checkpoint, [saved_checkpoint]),
    "store": (store, [lambda: good_store()["data.npy"]]),
    "header": (header, [b'{"format_version": 1, "a": [1, {"b": null}]}']),
    "run": (run, [b'{"format_version": 1, "split": {"kind": "none"}, "parts": ["all"]}']),
    "card": (card, [CARD]),
    "matrix": (
        matrix,
        [
            bytes([0, 0, 2, 0, 4, 0, 2, 4, 1, 5, 0, 19, 3, 4, 5, 2]),
            bytes([1, 2, 3, 0, 2, *[0] * 10, *[2] * 11, 1, 2, 200, 200]),
            bytes([2, 1, 1, 0, 1, 0, 1, 127, 1]),
        ],
    ),
    "lists": (lists, [b"1 2 3\0003 9\n7 -1 -1\0007", b'"a" "b"\0"b"\n"c" null\0"x"', b"0.5 0.25\0001\n0.1 3.5\0000"]),
    "frame": (frame, [b'1\n"a"\n[1]\n2\nnull\n1e400\n3\n4\n5', b"1\n2\n3\n1\n2\n3\n1\n2\n3"]),
}


def good_inputs(name):
    return [one() if callable(one) else one for one in TARGETS[name][1]]


# ---------------------------------------------------------------------- structure: JSON and tensors changed as such


def changed_json(value, draw):
    """Return `value` with one part of it replaced; `draw(n)` gives a number below n."""
    odd = (None, -1, 0, 1e308, 10**12, 2**70, "x", "", [], {}, True, [[]], {"tuple": [10**9, 10**9]}, float("nan"))
    if isinstance(value, dict) and value and draw(5):
        key = list(value)[draw(len(value))]
        return (
            {**value, key: changed_json(value[key], draw)} if draw(8) else {k: v for k, v in value.items() if k != key}
        )
    if isinstance(value, list) and value and draw(5):
        at = draw(len(value))
        return [*value[:at], changed_json(value[at], draw), *value[at + 1 :]]
    return odd[draw(len(odd))]


def changed_tensors(tensors, draw):
    """Return `tensors` with one of them of another size, type or content, or gone."""
    name = sorted(tensors)[draw(len(tensors))]  # the order that safetensors gives changes
    value, kind = tensors[name], draw(6)
    if kind == 0:
        return {key: one for key, one in tensors.items() if key != name}
    if kind == 1:
        return {**tensors, name: value.reshape(-1)[: draw(value.size + 1)]}
    if kind == 2:
        return {**tensors, name: value.astype((np.float64, np.int64, np.uint8, np.float32)[draw(4)])}
    if kind == 3:
        return {**tensors, name: np.concatenate([value.reshape(-1)] * 2)}
    if kind == 4:
        return {**tensors, name: np.full_like(value, (-1, 0, 1, 100, 7)[draw(5)] if value.dtype.kind != "u" else 255)}
    odd = np.array(value)
    if odd.size:
        flat = odd.reshape(-1)
        flat[draw(odd.size)] = (-1, 10**9, 127)[draw(3)] if odd.dtype.kind == "i" and odd.itemsize > 4 else 127
    return {**tensors, name: odd}


def restructured(data, draw):
    """Return a packed header and tensors with one thing changed in either."""
    from safetensors.numpy import load

    given, payload = unpack(data)
    if draw(2):
        return pack(changed_json(given, draw), payload)
    return pack(
        given, dump_tensors({k: np.ascontiguousarray(v) for k, v in changed_tensors(load(payload), draw).items()})
    )
