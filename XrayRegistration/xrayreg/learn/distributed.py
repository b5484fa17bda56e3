"""Training by several processes: `torchrun` starts them, each takes its share of every batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from ..errors import InputError


@dataclass(frozen=True)
class Crew:
    """The processes that train one network together; a single one needs nothing of torch.distributed.

    Attributes:
        rank: of this process, from 0; only the first writes and reports.
        world: how many there are.
        device: of this process.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def joined(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are the mean of those of all processes.

        All start from the weights of the first.
        """
        if self.world == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def most(self, *numbers: float) -> tuple[float, ...]:
        """The largest of each number over all processes, so that all decide alike."""
        if self.world == 1:
            return numbers
        import torch.distributed as dist

        shared = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        return tuple(shared.tolist())


ALONE = Crew()


@contextmanager
def crew_of_environment(device: torch.device) -> Iterator[Crew]:
    """The crew that torchrun's variables RANK, WORLD_SIZE and LOCAL_RANK tell of; without them, this process.

    Args:
        device: what to train on; of several CUDA devices each process of a machine takes its own.

    Raises:
        InputError: if the variables are malformed, or this torch cannot join processes.
    """
    rank, world, local = (
        _number(name, least) for name, least in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    if world == 1:
        yield Crew(device=device)
        return
    import torch.distributed as dist

    if not dist.is_available():
        raise InputError("this torch has no torch.distributed", remedy="train without torchrun")
    if device.type == "cuda":
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Crew(rank, world, device)
    finally:
        dist.destroy_process_group()


def _number(name: str, least: int) -> int:
    """A whole number of torchrun's; what stands for a single process if it is not set."""
    text = os.environ.get(name, str(least))
    if not text.isdigit() or int(text) < least:
        raise InputError(f"{name} is {text}, no whole number from {least}", remedy="start it by torchrun")
    return int(text)
