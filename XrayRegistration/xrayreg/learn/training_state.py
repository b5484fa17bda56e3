"""What training changes: the network's weights, their average, and the optimiser's memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import InputError
from .settings import TrainingSettings
from .tensor_files import check_shapes, load_weights

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class TrainingState:
    """A network in training; the objects change, not the references to them.

    Attributes:
        module: the network, with the weights of the last step.
        average: the exponential moving average of its state dict.
        optimiser: AdamW (Loshchilov and Hutter, ICLR 2019) over its parameters.
    """

    module: nn.Module
    average: dict[str, Tensor]
    optimiser: torch.optim.Optimizer

    def update(self, rate: float, step: int, settings: TrainingSettings) -> None:
        """Go along the gradients that the parameters hold.

        The average's memory grows with the steps, to about a ninth of them, until it is that of
        ``average_decay``: the first weights, which are random, do not stay in it.

        Args:
            step: counted from 0.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        decay = min(settings.average_decay, (1 + step) / (10 + step))
        now = self.module.state_dict()
        mixed = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[name] for name in mixed], [now[name] for name in mixed], 1 - decay)
        for name in now.keys() - mixed:
            self.average[name].copy_(now[name])

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by names that `restore` knows again."""
        flat = {f"weights/{name}": tensor for name, tensor in self.module.state_dict().items()}
        flat |= {f"average/{name}": tensor for name, tensor in self.average.items()}
        for name, parameter in self._trained():
            for key, tensor in self.optimiser.state.get(parameter, {}).items():
                flat[f"optimiser/{name}/{key}"] = tensor
        return flat

    def restore(self, tensors: Mapping[str, Tensor], where: object) -> None:
        """Take over what `tensors` gave; before the first step the optimiser has no memory.

        Raises:
            InputError: if these are not the tensors of such a network in training.
        """
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts.setdefault(part, {})[rest] = tensor
        memory = parts.pop("optimiser")
        if parts.keys() != {"weights", "average"}:
            raise InputError("holds tensors that have no place in a checkpoint", where=where)
        shapes = {name: tensor.shape for name, tensor in self.average.items()}
        check_shapes(parts["average"], shapes, where)
        load_weights(self.module, parts["weights"], where)
        for name, tensor in parts["average"].items():
            self.average[name].copy_(tensor)
        if memory:
            self._restore_optimiser(memory, where)

    def _restore_optimiser(self, memory: Mapping[str, Tensor], where: object) -> None:
        trained = self._trained()
        shapes = {f"{name}/{key}": parameter.shape for name, parameter in trained for key in _MOMENTS}
        check_shapes(memory, shapes | {f"{name}/step": () for name, _ in trained}, where)
        numbers = {parameter: number for number, (_, parameter) in enumerate(trained)}
        groups = [
            {**group, "params": [numbers[parameter] for parameter in group["params"]]}
            for group in self.optimiser.param_groups
        ]
        state = {}
        for number, (name, parameter) in enumerate(trained):
            # In the parameter's own order of memory (channels last): the fused step asks for it.
            moments = {key: torch.empty_like(parameter).copy_(memory[f"{name}/{key}"]) for key in _MOMENTS}
            state[number] = {"step": memory[f"{name}/step"].clone(), **moments}
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        """In the order of the optimiser's groups, by which it numbers them."""
        names = {parameter: name for name, parameter in self.module.named_parameters()}
        ordered = (parameter for group in self.optimiser.param_groups for parameter in group["params"])
        return [(names[parameter], parameter) for parameter in ordered]


def new_state(module: nn.Module, settings: TrainingSettings) -> TrainingState:
    """A network at the start of its training; its kernels are laid out channels last, which is faster."""
    module.to(memory_format=torch.channels_last)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError("the network has no weights to train")
    groups = [
        {"params": [each for each in trained if each.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [each for each in trained if each.ndim <= 1], "weight_decay": 0.0},
    ]
    average = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    return TrainingState(module, average, _adamw([group for group in groups if group["params"]]))


def _adamw(groups: list[dict]) -> torch.optim.AdamW:
    try:
        return torch.optim.AdamW(groups, fused=True)
    except (RuntimeError, TypeError):  # an older torch, or a device without the fused step
        return torch.optim.AdamW(groups)
