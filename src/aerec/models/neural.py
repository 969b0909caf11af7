"""What recommenders trained in epochs have in common: the network, its trainer, early stopping, saving."""

from __future__ import annotations

import hashlib
import json
import math
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch.overrides import TorchFunctionMode

from aerec.display.plotting import plot_history
from aerec.errors import DataError, TrainingError
from aerec.metrics import RATING_METRICS, higher_is_better, measure_ranking, parse_metric
from aerec.network.device import resolve_device, resolve_precision
from aerec.network.network import Network
from aerec.network.rows import Rows
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.saving import add_to_digest, encode_parameter
from aerec.splitting import Holdout
from aerec.training.callbacks import Callback, Callbacks, ProgressBar
from aerec.training.checkpoint import Checkpoint, Stateful
from aerec.training.cuda_graphs import steps_on
from aerec.training.early_stopping import BestEpoch, Validator
from aerec.training.loop import train
from aerec.training.schedule import SCHEDULES
from aerec.training.trainer import Trainer

__all__ = ["NeuralRecommender"]


class NeuralRecommender(Recommender):
    """Base of the recommenders that learn a `Network` by gradient descent, epoch by epoch.

    A subclass has the hyper-parameters named in `_parameter_constraints` and writes `_build`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "epochs": [WholeNumber(1)],
        "batch_size": [WholeNumber(1)],
        "learning_rate": [RealNumber(above=0)],
        "learning_rate_schedule": [OneOf(SCHEDULES)],
        "weight_decay": [RealNumber(at_least=0)],
        "kl_weight": [RealNumber(at_least=0)],
        "kl_annealing_steps": [WholeNumber(0)],
        "patience": [WholeNumber(1), None],
        "validation_metric": [str, None],
        "device": [str],
        "precision": [OneOf(("auto", "float32", "bf16"))],
        "seed": [WholeNumber(0, 2**32 - 1)],
        "progress": [bool],
    }

    _even_batches: ClassVar[bool] = False
    """Whether the rows of an epoch are divided evenly into batches, instead of leaving a small one at the end."""

    network_: Network
    history_: pd.DataFrame
    _steps = 0  # taken so far: the weight of the KL term rises with them

    @abstractmethod
    def _build(self, n_inputs: int, n_users: int) -> Network:
        """Return the network with its initial weights, on the CPU."""

    # ------------------------------------------------------------------ training

    def _start(self, n_inputs: int, n_users: int) -> None:
        """Make a fresh network, trainer and history."""
        self.network_ = self._build(n_inputs, n_users).to(resolve_device(self.device))
        self.history_ = pd.DataFrame()
        self._steps = 0
        self._new_trainer()

    def _new_trainer(self) -> None:
        device = resolve_device(self.device)
        self._trainer = self._make_trainer(
            network=self.network_,
            device=device,
            seed=int(self.seed),
            even_batches=self._even_batches,
            half=resolve_precision(self.precision, device),
            **self._step_options(),
        )
        self._trainer.epoch, self._trainer.step = len(self.history_), self._steps
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            from aerec.training.distributed import current_ranks

            if self.network_.architecture.negatives is not None:
                raise DataError("negatives= is for one process: set negatives=None, or train without torchrun")
            self._trainer.ranks = current_ranks()

    def _step_options(self) -> dict[str, Any]:
        """Return what may be another from one `partial_fit` to the next."""
        return {
            "batch_size": int(self.batch_size),
            "learning_rate": self.learning_rate,
            "schedule": SCHEDULES[self.learning_rate_schedule],
            "weight_decay": self.weight_decay,
            "kl_weight": self.kl_weight,
            "kl_annealing_steps": self.kl_annealing_steps,
        }

    def _follow_parameters(self) -> None:
        """Have the next steps follow the parameters of the moment, where `set_params` has changed them.

        Raises
        ------
        ValueError
            If one is another that made the network what it is.
        """
        for name in self.get_params(deep=False).keys() - NeuralRecommender._parameter_constraints.keys():
            value, before = getattr(self, name), self._fitted_with[name]
            if encode_parameter(value) != encode_parameter(before):
                raise ValueError(
                    f"{name}={value!r}, but the network of this {type(self).__name__} was made with {before!r}: set it "
                    "back to go on with partial_fit, or fit anew"
                )
        if hasattr(self, "_trainer"):
            self._trainer.follow(**self._step_options())
        else:  # a loaded model: the optimiser starts anew
            self._new_trainer()

    def _make_trainer(self, **options: Any) -> Trainer:
        """Return what trains the network; `options` are those of `Trainer`."""
        return Trainer(**options)

    @property
    def _device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network_.parameters()).device

    def _run(
        self,
        rows: Rows,
        epochs: int,
        validator: Validator | None,
        learned: Callable[[], None],
        *,
        checkpoint: tuple[str | os.PathLike[str], str] | None = None,
        callbacks: Iterable[Callback] = (),
    ) -> None:
        """Train on `rows` for up to `epochs` more epochs and add them to the history; see `train`.

        `checkpoint` is a folder and the fingerprint of the training.
        """
        done, trainer, records = len(self.history_), self._trainer, []
        best, metric = None, None if validator is None else validator.name
        around = [*callbacks]
        if validator is not None:
            best = BestEpoch(self.network_, validator.name, validator.higher_is_better, self.patience)
            around.insert(0, best)
        if checkpoint is not None:
            parts: dict[str, Stateful] = {"trainer": trainer} if best is None else {"trainer": trainer, "best": best}
            first = trainer.ranks is None or trainer.ranks.is_first
            writer = Checkpoint(*checkpoint, parts, writes=first)
            writer.restore()
            records = writer.records
            around.append(writer)
        around.append(ProgressBar(type(self).__name__, epochs, self.progress, metric))
        around.append(_Learned(learned, since=1 if validator is not None else 2))
        if records:
            learned()
        try:
            records = train(
                trainer,
                rows,
                epochs=epochs,
                steps=steps_on(trainer.device),
                validator=validator,
                best=best,
                callbacks=Callbacks(around, self),
                records=records,
            )
        except TrainingError as error:
            if error.records:
                learned()
            self._give_up(error, done)
            raise
        learned()
        self._remember(pd.DataFrame(records), done)

    def _remember(self, history: pd.DataFrame, done: int) -> None:
        if len(history):
            history["epoch"] += done
        self.history_ = pd.concat([self.history_, history], ignore_index=True) if done else history
        self.n_iter_ = len(self.history_)
        self._steps = self._trainer.step

    def _give_up(self, error: TrainingError, done: int) -> None:
        """Keep what was learned before `error`, if anything was."""
        if done or error.records:
            self._remember(pd.DataFrame(error.records), done)
            self._finished()
        # its optimiser has seen what went wrong: partial_fit begins with a new one; ELSA may have dropped it already
        self.__dict__.pop("_trainer", None)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _finished(self) -> None:
        """Settle after training; by default nothing."""

    def _fingerprint(self, train: Any, validation: Any) -> str:
        """Return what binds a checkpoint to these data and to the parameters of the model."""
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "progress"}
        encoded = {name: encode_parameter(value) for name, value in parameters.items()}
        digest = hashlib.sha256(json.dumps([type(self).__name__, encoded], sort_keys=True).encode())
        for part in (train, validation):
            add_to_digest(digest, part)
        return digest.hexdigest()

    def _holdout_validator(self, holdout: Holdout, default: str) -> Validator:
        """Measure a metric on `holdout` with the weights of the moment."""
        name = self.validation_metric or default
        if holdout.target.n_ratings == 0:
            raise DataError(f"{name} cannot be measured: nobody in the validation data has a held-out item")
        if self.items_ is not None:
            holdout = holdout.over(self.items_)
        measure: Callable[[], float]
        if name in RATING_METRICS:
            if not hasattr(self, "predict"):
                raise DataError(
                    f"{type(self).__name__} ranks items and does not predict ratings: validation_metric={name!r} needs "
                    "a model with predict, such as AutoRec"
                )
            pairs = holdout.target.to_frame()

            def measure() -> float:
                return RATING_METRICS[name](pairs["rating"], self.predict(pairs["user"], pairs["item"]))
        else:
            k = parse_metric(name)[1]

            def measure() -> float:
                ranking, _ = self.rank(holdout.history, k, exclude=holdout.exclude, allow_items=holdout.candidates)
                return measure_ranking(name, ranking, holdout.target, self.n_features_in_)

        return Validator(name, measure, higher_is_better(name))

    def plot_history(self, ax: Any = None) -> Any:
        """Draw cost and validation metric of each epoch and return the axes, see `aerec.reporting.plot_history`."""
        check_is_fitted(self)
        return plot_history(self.history_, ax)

    # ------------------------------------------------------------------ saving

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        known = self.history_.astype(object).where(self.history_.notna(), None)  # some epochs may lack a metric
        header["history"] = {name: column.tolist() for name, column in known.items()}
        header["steps"] = self._steps
        header["n_users"] = int(self.network_.architecture.n_users)
        header["n_inputs"] = int(self.network_.architecture.n_inputs)
        weights = {f"network.{name}": value.cpu().numpy() for name, value in self.network_.state_dict().items()}
        return header, arrays | weights

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.history_ = pd.DataFrame(header["history"])
        self._steps = int(header["steps"])
        if self._steps < 0:
            raise ValueError(f"it has taken {self._steps} steps")
        self.n_iter_ = len(self.history_)
        prefix = "network."
        with _Budget(sum(value.size for name, value in tensors.items() if name.startswith(prefix))):
            network = self._build(header["n_inputs"], header["n_users"])
        network.load_state_dict(
            {name[len(prefix) :]: torch.tensor(value) for name, value in tensors.items() if name.startswith(prefix)}
        )
        self.network_ = network.to(resolve_device(self.device))


class _Learned(Callback):
    """Tells a fit that it has learned something from epoch `since` on, so that it keeps it where it is broken off."""

    def __init__(self, learned: Callable[[], None], since: int) -> None:
        self._learned, self._since = learned, since

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        if record["epoch"] >= self._since:
            self._learned()


class _Budget(TorchFunctionMode):
    """Lets as many numbers be allocated as a saved network has, so that a small file cannot claim a large one."""

    def __init__(self, n_saved: int) -> None:
        super().__init__()
        self._left = 4 * n_saved + 10_000  # initial values are drawn beside the weights; a prior may be a copy of them

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("empty", "rand", "ones", "zeros"):
            self._left -= math.prod(args[0] if args and isinstance(args[0], tuple | list) else args)
            if self._left < 0:
                raise ValueError("its parameters describe a larger network than the one that is saved")
        return func(*args, **(kwargs or {}))
