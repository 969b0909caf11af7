"""How often does a comparison find a difference where there is none? A simulation with a known answer.

    python benchmarks/quality/type_one_error.py

Two models that are equally good by construction: the items come as pairs of twins, which people like for the same
reasons, and each model (an EASE) knows one twin of each pair only. Which of the two finds more is chance. People are
generated anew in each of the repetitions; what counts is how often p < 0.05 says otherwise. A test that deserves its
name does so in 5 % of them. A third model, with a part of the items taken away, shows how often a real difference is
found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec.evaluation import compare, cross_validate, evaluate
from aerec.evaluation.cross_validation import corrected_t_test
from aerec.interactions import Interactions
from aerec.models import EASE
from aerec.splitting import KFold, StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads

PAIRS, FACTORS, METRIC = 25, 4, "ndcg@10"
PROTOCOLS: dict[str, Any] = {
    "5 folds of users": KFold(5),
    "30 random splits, a tenth of the users each": 30,
}


class Half(EASE):
    """EASE that knows the items `known` only."""

    def __init__(self, known: tuple[int, ...] = (), l2: float = 5.0) -> None:
        super().__init__(l2=l2)
        self.known = known

    def _fit(self, train: Interactions, validation: Any) -> None:
        super()._fit(train.keep(np.isin(train.matrix.indices, self.known)), validation)


def main() -> None:
    """Repeat, count, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--users", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    p_values: dict[tuple[int, str, str], list[tuple[float, float]]] = {}
    for users in given.users:
        for repetition in range(given.repetitions):
            data = generate(users, np.random.default_rng(repetition))
            for (protocol, test), found in measure(data, repetition).items():
                p_values.setdefault((users, protocol, test), []).append(found)
    rows = []
    for (users, protocol, test), found in p_values.items():
        rejected = (np.array(found) < 0.05).mean(axis=0)
        shares = [f"{share:.1%} ± {_reach(share, given.repetitions):.1%}" for share in rejected]
        rows.append([users, protocol, test, *shares])
    header = ["people", "protocol", "test", "no difference, found one", "a difference, found it"]
    note = (
        f"\n\n{given.repetitions} repetitions, {2 * PAIRS} items; {METRIC}; p < 0.05, and "
        "95 % intervals of the shares. A test of level 5 % should find a difference in 5 % of the repetitions where "
        "there is none."
    )
    content = {
        "p_values": [
            {"users": users, "protocol": protocol, "test": test, "pairs": found}
            for (users, protocol, test), found in p_values.items()
        ]
    }
    save("type-one-error", "Differences found where there are none", markdown(header, rows) + note, content, given.out)


def generate(n_users: int, rng: np.random.Generator) -> Interactions:
    """Return what `n_users` people like; items i and i + PAIRS are twins, the same in every repetition."""
    items = np.random.default_rng(0).normal(size=(FACTORS, PAIRS))
    taste = rng.normal(size=(n_users, FACTORS))
    chance = 1 / (1 + np.exp(1.2 - taste @ items))
    likes = rng.random((n_users, 2 * PAIRS)) < np.hstack([chance, chance])
    return Interactions.from_matrix(sp.csr_array(likes.astype(np.float32)))


def measure(data: Interactions, seed: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the p-values of twins, and of one twin against a worse model, by protocol and test."""
    models = {
        "left": Half(tuple(range(PAIRS))),
        "right": Half(tuple(range(PAIRS, 2 * PAIRS))),
        "less": Half(tuple(range(PAIRS - 3))),
    }
    found = {}
    split = StrongGeneralization(data.shape[0] // 5, seed=seed).split(data)
    reports = [
        evaluate(model.fit(split.train), split.test, METRIC, name=name, n_resamples=1) for name, model in models.items()
    ]
    table = compare(reports, n_resamples=1).set_index(["a", "b"])["p_value"]
    found["one split, a fifth of the users", "paired t-test over users"] = (
        table["left", "right"],
        table["left", "less"],
    )
    for protocol, splitter in PROTOCOLS.items():
        if isinstance(splitter, int):
            splitter = [StrongGeneralization(data.shape[0] // 10, seed=1000 * seed + at) for at in range(splitter)]
        else:
            splitter = type(splitter)(splitter.n_splits, seed=seed)
        result = cross_validate(models, data, splitter, METRIC)
        values = {name: result.scores.loc[result.scores["model"] == name, METRIC].to_numpy() for name in models}
        pairs = [values["left"] - values[other] for other in ("right", "less")]
        found[protocol, "plain t-test over splits"] = tuple(float(stats.ttest_1samp(one, 0).pvalue) for one in pairs)
        found[protocol, "corrected t-test (cross_validate)"] = tuple(
            corrected_t_test(one, result.test_share)[3] for one in pairs
        )
    return found


def _reach(share: float, n: int) -> float:
    return float(1.96 * np.sqrt(share * (1 - share) / n))


if __name__ == "__main__":
    main()
