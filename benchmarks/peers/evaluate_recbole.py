"""Time RecBole's evaluation of all users: ``python evaluate_recbole.py FOLDER``, in RecBole's environment.

The folder has what `job.Job` reads; the validation part is what is evaluated. ``result.json`` has the shortest time of
each model, of as many rounds as ``params`` asks for; untrained, which makes no difference to the work.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer

from job import Job
from run_recbole import configure

_USERS = 500  # whose scores are made at once
_MODELS: dict[str, dict[str, Any]] = {
    "EASE": {},
    "MultiVAE": {"mlp_hidden_size": [600], "latent_dimension": 400},  # mean and log variance together
}


def evaluation(job: Job, name: str, params: dict[str, Any]) -> Any:
    """Return RecBole's evaluation of a model, to be called."""
    given = SimpleNamespace(**{**vars(job), "model": name, "params": params})
    more = {"topk": [20, 50, 100], "eval_batch_size": _USERS * job.train.shape[1]}
    config = configure(given, **more)
    parts = data_preparation(config, create_dataset(config))
    model = get_model(name)(config, parts[0].dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    return lambda: trainer.evaluate(parts[1], load_best_model=False)


def main() -> None:
    logging.disable(logging.CRITICAL)
    job = Job.read(Path(sys.argv[1]))
    torch.set_num_threads(job.threads)
    clock = time.process_time if job.params["cpu_time"] else time.perf_counter
    found = {}
    for name, params in _MODELS.items():
        evaluate = evaluation(job, name, params)
        seconds = []
        for _ in range(1 + job.params["rounds"]):
            began = clock()
            evaluate()
            seconds.append(clock() - began)
        found[name] = min(seconds[1:])
    (job.folder / "result.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
