"""Optimizers, two of them our own, schedules of the learning rate, and the average of weights over epochs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.nadam import nadam

from aerec.native import kernels
from aerec.network.deferred import Deferred, Gradient, SparseTimesDense
from aerec.network.products import Scratch, gather_rows

_BLOCK_BYTES = 2**20  # A block of a parameter, with gradient and moments a few megabytes, fits into the cache


class _OptimizerChoice:
    """The name of an optimizer, or a class of PyTorch's."""

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one."""
        return _class_of(value) is not None

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, OPTIMIZERS))} or a class of torch.optim that steps without a closure"


OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
    "adagrad": (torch.optim.Adagrad, {}),
}
"""Name → class and options."""

OPTIMIZER_CHOICE = _OptimizerChoice()
"""The constraint of a parameter that names an optimizer; see `aerec.parameters`."""

OptimizerChoice: TypeAlias = str | type[torch.optim.Optimizer]


def make_optimizer(
    choice: OptimizerChoice,
    decayed: list[nn.Parameter],
    free: list[nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float,
    device: torch.device,
    lazy: bool = False,
) -> torch.optim.Optimizer:
    """Return an optimizer, in the form that is fastest on `device`.

    Parameters
    ----------
    choice : str or class
        A name of `OPTIMIZERS`, a class of `torch.optim`, or the name of one.
    decayed, free : list of Parameter
        With and without weight decay.
    learning_rate, weight_decay : float
    device : torch.device
    lazy : bool, default False
        Whether gradients are sparse: then it is `LazyAdam`, and another choice is refused.

    Raises
    ------
    ValueError
        If the optimizer cannot do what is asked for.
    """
    kind = _class_of(choice)
    assert kind is not None  # the parameters of a model are checked
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    if lazy:
        if kind is not torch.optim.Adam:
            raise ValueError(f"negatives= has sparse gradients, which need optimizer='adam', got {choice!r}")
        return LazyAdam(groups, lr=learning_rate)
    options: dict[str, Any] = OPTIMIZERS[choice][1] if choice in OPTIMIZERS else {}
    rate: float | Tensor = learning_rate
    if kind in (torch.optim.Adam, torch.optim.AdamW):
        options = {"fused": device.type in ("cpu", "cuda")}
        if device.type == "cuda":  # a recorded step reads the rate anew at each replay
            rate = torch.tensor(float(learning_rate), dtype=torch.float32, device=device)
            options["capturable"] = True
    if device.type == "cpu" and kind is torch.optim.NAdam:
        kind = BlockwiseNAdam
    elif device.type == "cpu" and kind is torch.optim.Adam and kernels.usable():
        kind = NativeAdam
    optimizer = kind(groups, lr=rate, **options)  # type: ignore[call-arg]
    if weight_decay and "weight_decay" not in optimizer.defaults:
        raise ValueError(f"{kind.__name__} has no weight decay: set weight_decay=0, or choose another optimizer")
    return optimizer


def _class_of(choice: Any) -> type[torch.optim.Optimizer] | None:
    """Return the class that a choice means; None where it means none that can be taken."""
    if isinstance(choice, str):
        choice = OPTIMIZERS[choice][0] if choice in OPTIMIZERS else getattr(torch.optim, choice, None)
    if not (isinstance(choice, type) and issubclass(choice, torch.optim.Optimizer)):
        return None
    unfit = torch.optim.Optimizer, torch.optim.LBFGS, torch.optim.SparseAdam
    return None if choice in unfit else choice


def check_state(optimizer: torch.optim.Optimizer, states: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Refuse a state, by the number of the parameter, that does not fit: fused optimizers take sizes on trust.

    Raises
    ------
    ValueError
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW | torch.optim.NAdam | LazyAdam):
        return
    expected = {"step", "exp_avg", "exp_avg_sq", *(["mu_product"] if isinstance(optimizer, torch.optim.NAdam) else [])}
    for at, state in states.items():
        if not 0 <= at < len(parameters) or state.keys() != expected:
            raise ValueError(f"the optimiser holds {sorted(state)} of parameter {at}")
        for name, value in state.items():
            fits = value.numel() == 1 if name in ("step", "mu_product") else value.shape == parameters[at].shape
            if not fits:
                raise ValueError(f"{name} of parameter {at} has the shape {tuple(value.shape)}")


class Parameterwise(torch.optim.Optimizer):
    """An optimizer whose step is the `_update` of each parameter that has a gradient."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; `closure` is not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    @abstractmethod
    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        """Change `parameter`, and what ``self.state`` holds of it, by the options of its group."""

    def _state_of(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """Return the number of steps and the moments of a parameter, which begin with 0."""
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return state


class NativeAdam(Parameterwise, torch.optim.Adam):
    """`torch.optim.Adam` by compiled kernels, for parameters on a processor: the same steps and the same state.

    Attributes
    ----------
    deferred : Deferred
        Gradients that it takes besides those of the parameters.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, **options: Any) -> None:
        super().__init__(groups, lr=lr, **options)
        self._begin()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._begin()  # PyTorch neither copies nor saves more than groups and states

    def _begin(self) -> None:
        self.deferred = Deferred(parameter for group in self.param_groups for parameter in group["params"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; `closure` is not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradients: list[Gradient] = self.deferred.taken(parameter)
                if parameter.grad is not None:
                    gradients.append(parameter.grad)
                if gradients:
                    gradient = gradients[0] if len(gradients) == 1 else torch.stack([*map(_dense, gradients)]).sum(0)
                    self._update(parameter, gradient, group)

    def _update(self, parameter: nn.Parameter, gradient: Gradient, group: dict[str, Any]) -> None:
        state = self._state_of(parameter)
        matrices = parameter.detach(), state["exp_avg"], state["exp_avg_sq"]
        sound = state["step"] >= 0 and all(beta < 1 for beta in group["betas"])  # a forged checkpoint may say otherwise
        if (
            not sound
            or not kernels.usable(*matrices)
            or (isinstance(gradient, Tensor) and not kernels.usable(gradient))
        ):
            self._update_by_pytorch(parameter, _dense(gradient), group)
            return
        state["step"] += 1
        rate, step = float(group["lr"]), float(state["step"])
        options = kernels.AdamOptions(rate, group["betas"], group["eps"], group["weight_decay"], step)
        if isinstance(gradient, SparseTimesDense):
            starts, rows, _ = gradient.pattern.by_column
            kernels.sparse_adam(*matrices, starts, rows, gradient.values, gradient.dense, options)
        else:
            kernels.adam(*matrices, gradient, options)
        matrices[0].view(-1)[:0].zero_()  # nothing, but PyTorch counts it as a change of the parameter
        if isinstance(gradient, Tensor) and gradient.dtype == torch.bfloat16:
            self.deferred.has_copied(parameter)

    def _update_by_pytorch(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        first, second = group["betas"]
        adam(
            [parameter],
            [gradient],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _dense(gradient: Gradient) -> Tensor:
    """Return a gradient as the float32 matrix that it stands for."""
    if isinstance(gradient, SparseTimesDense):
        return gather_rows(gradient.pattern, gradient.values, gradient.dense, Scratch())
    return gradient.float()


class LazyAdam(Parameterwise):
    r"""Adam whose step costs what the rows with a gradient cost, for weights of which a batch touches few.

    For the rows of a sparse gradient it is Adam with the corrections of the step at hand. The other rows and their
    moments stay as they are, where Adam would go on moving them by their fading momentum. Weight decay, too, acts on
    the touched rows only. A dense gradient touches every row.

    Parameters
    ----------
    groups : iterable of dict
    lr : float
        As of `torch.optim.Adam`.

    References
    ----------
    Kingma, Ba (2015). Adam: a method for stochastic optimization. ICLR.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0})

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self._state_of(parameter)
        state["step"] += 1
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows, gradient = gradient.indices()[0], gradient.values()
        else:
            rows = torch.arange(len(parameter), device=parameter.device)
        taken = parameter.index_select(0, rows)
        if group["weight_decay"]:
            gradient = gradient.add(taken, alpha=group["weight_decay"])
        first, second = group["betas"]
        mean = state["exp_avg"].index_select(0, rows).lerp_(gradient, 1 - first)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(second).addcmul_(gradient, gradient, value=1 - second)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        at = float(state["step"])
        scale = square.sqrt_().div_((1 - second**at) ** 0.5).add_(group["eps"])
        parameter.index_copy_(0, rows, taken.addcdiv_(mean, scale, value=-group["lr"] / (1 - first**at)))


class BlockwiseNAdam(Parameterwise, torch.optim.NAdam):
    """`torch.optim.NAdam`, for parameters on a processor; the same steps, in less time.

    PyTorch has no fused NAdam: it goes through memory a dozen times in a step.

    References
    ----------
    Dozat (2016). Incorporating Nesterov momentum into Adam. ICLR workshop.
    """

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self._state_of(parameter)
        state.setdefault("mu_product", torch.ones((), dtype=torch.float32))
        height = max(1, _BLOCK_BYTES * len(parameter) // (4 * parameter.numel() + 1))
        matrices = (parameter, gradient, state["exp_avg"], state["exp_avg_sq"])
        step = product = torch.empty((), dtype=torch.float32)
        for block, pull, mean, square in zip(*(torch.split(matrix, height) for matrix in matrices), strict=True):
            step, product = state["step"].clone(), state["mu_product"].clone()  # each block starts where the last did
            nadam(
                [block],
                [pull],
                [mean],
                [square],
                [product],
                [step],
                foreach=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                momentum_decay=group["momentum_decay"],
                eps=group["eps"],
            )
        state["step"].copy_(step)
        state["mu_product"].copy_(product)


@dataclass(eq=False)
class WeightAverage:
    r"""Averages weights over epochs: what is validated, kept and used is less noisy than the weights of one epoch.

    .. math:: \bar w_t = \frac{\sum_{s \le t} d^{\,t-s} w_s}{\sum_{s \le t} d^{\,t-s}}

    Between epochs the parameters hold the average; while an epoch runs they hold the weights that are trained.

    Parameters
    ----------
    parameters : sequence of Tensor
        What is trained.
    decay : float
        d, below 1; with 0 there is no average.
    aside : list of Tensor
        The average while an epoch runs, the trained weights between epochs; none before the first is over.
    total : float
        The sum of powers below the line.
    """

    parameters: Sequence[Tensor]
    decay: float
    aside: list[Tensor] = field(default_factory=list)
    total: float = 0.0

    def forget(self) -> None:
        """Begin a new average with the weights of the moment."""
        self.aside, self.total = [], 0.0

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange what the parameters hold and what is aside: before an epoch they get the trained weights back."""
        for aside, parameter in zip(self.aside, self.parameters, strict=bool(self.aside)):
            held = parameter.detach().clone()
            parameter.copy_(aside)
            aside.copy_(held)

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Take the weights into the average, and put the average in their place."""
        if not self.decay:
            return
        if not self.aside:
            self.aside = [parameter.detach().clone() for parameter in self.parameters]
        self.total = 1 + self.decay * self.total
        for average, parameter in zip(self.aside, self.parameters, strict=True):
            average.lerp_(parameter, 1 / self.total)
        self.swap()

    def state_dict(self) -> dict[str, Any]:
        """Return what the next epoch depends on; to be called between epochs."""
        return {"total": self.total, **{f"trained.{at}": aside for at, aside in enumerate(self.aside)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        ValueError
            If it is of other parameters.
        """
        total = float(state["total"])
        trained = [state[f"trained.{at}"] for at in range(len(state) - 1)]
        if trained and [(weight.shape, weight.dtype) for weight in trained] != [
            (weight.shape, weight.dtype) for weight in self.parameters
        ]:
            raise ValueError("the averaged weights are of another network")
        if not (0 < total < float("inf") if trained else total == 0):
            raise ValueError(f"{len(trained)} averaged weights with a total of {total:g}")
        self.total = total
        self.aside = [weight.to(own.device) for weight, own in zip(trained, self.parameters, strict=bool(trained))]


@dataclass
class KeptWeights:
    """A copy of the weights of a network, to be put back.

    Attributes
    ----------
    epoch : int
        The epoch whose weights they are, 0 before there are any.
    """

    network: nn.Module
    epoch: int = 0
    weights: dict[str, Tensor] | None = None

    @torch.no_grad()
    def take(self, epoch: int) -> None:
        """Copy the weights of the moment, those after `epoch`, into the memory of the former copy."""
        self.epoch, present = epoch, self.network.state_dict()
        if self.weights is None:
            self.weights = {name: value.clone() for name, value in present.items()}
        else:
            for name, value in present.items():
                self.weights[name].copy_(value)

    def put_back(self) -> bool:
        """Give the network the copy; return whether there is one."""
        if self.weights is not None:
            self.network.load_state_dict(self.weights)
        return self.weights is not None


def _constant(progress: float) -> float:
    return 1.0


def _linear(progress: float) -> float:
    return 1.0 - progress


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": _constant, "linear": _linear, "cosine": _cosine}
"""Name → factor of the learning rate, given the share of the epochs that is over (0 in the first epoch, below 1)."""
