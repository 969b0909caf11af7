"""Compare models on the same split, and ask whether a difference is more than chance.

    python examples/compare_models.py

Simple models first, then autoencoders, on the same split of the generated sample. Parameters are guesses: for a fair
comparison tune every model with the same effort, see docs/how-to/tune.md.
"""

from __future__ import annotations

import pandas as pd

from aerec import compare, evaluate
from aerec.baselines import ItemKNN, Popularity
from aerec.datasets import load_dataset
from aerec.evaluation import describe_recommendations
from aerec.evaluation.significance import leaders
from aerec.models import EASE, ELSA, MultDAE
from aerec.splitting import StrongGeneralization

METRIC = "ndcg@20"

likes = load_dataset("sample").binarize(threshold=4.0).filter(min_per_user=5)
split = StrongGeneralization(n_users=150, seed=0).split(likes)
models = [
    Popularity(),
    ItemKNN(k=100),
    EASE(l2=200.0),
    ELSA(n_factors=64, epochs=10),
    MultDAE(hidden=100, epochs=40, batch_size=100),
]

reports = []
rows = []
for model in models:
    model.fit(split.train, split.validation)
    report = evaluate(model, split.test, metrics=(METRIC, "recall@20", "coverage@20"))
    described = describe_recommendations(model, split.test, split.train, k=20)
    reports.append(report)
    rows.append({"model": report.name, **report.mean, "novelty@20": described["novelty@20"]})

print(f"{likes}\n{reports[0].n_users} test users\n")
print(pd.DataFrame(rows).round(3).to_string(index=False))

differences = compare(reports)
of_metric = differences[differences["metric"] == METRIC].drop(columns="metric")
print(f"\n{METRIC}: differences between pairs, 95 % intervals, p-values\n")
print(of_metric.round(4).to_string(index=False))
print(f"\nNot significantly worse than the best: {', '.join(leaders(reports, differences)[METRIC])}")
