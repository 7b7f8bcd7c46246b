"""The processes that train one network together: one, or as many as torchrun started."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from ..xray.errors import InputError


@dataclass(frozen=True)
class Workers:
    """`rank` of `count` processes; the first one (rank 0) speaks, writes and keeps the time."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that speaks."""
        return self.rank == 0

    def share(self, images: int) -> slice:
        """Which of the images of a step are this process's. InputError where they cannot be shared evenly."""
        if images % self.count:
            raise InputError(
                "processes", f"{self.count} cannot share {images} images evenly", "Use a number that divides it."
            )
        return slice(self.rank, images, self.count)

    def agreed(self, values: list[float]) -> list[float]:
        """What the first process says, in all of them."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        distributed.broadcast(tensor, 0)
        return tensor.tolist()

    def together(self, networks: nn.Module) -> nn.Module:
        """The same networks, whose gradients are the mean over all processes."""
        return networks if self.count == 1 else nn.parallel.DistributedDataParallel(networks)


@contextmanager
def workers(device: torch.device) -> Iterator[Workers]:
    """This process's place among those that torchrun started, or alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Workers()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
        # The threads of gloo end with the last object that holds the group; at Python's end they would abort it.
        gc.collect()
