"""A step that is taken again and again on a device, by a program that does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool

# With fewer steps left, recording the graph would take longer than it saves.
_WORTH_A_GRAPH = 4


def repeat(step: Callable[[], None], most: int, done: Bool[torch.Tensor, ""]) -> None:
    """Call `step` `most` times, or until it has made `done` true.

    On CUDA the second step is recorded as a graph, and all from there on are calls of that: `step` must work on
    tensors that stay where they are, and never wait. Whether it is `done` is looked at once the device has said so by
    itself: a step or two more may be taken, which must change nothing.
    """
    if done.device.type == "cuda":
        _repeat_on_cuda(step, most, done)
        return
    for _ in range(most):
        step()
        if bool(done):
            return


def _repeat_on_cuda(step: Callable[[], None], most: int, done: Bool[torch.Tensor, ""]) -> None:
    with torch.cuda.device(done.device):
        # The first step also compiles what has not been, which a recording must not.
        step()
        graph = _recorded(step) if most > _WORTH_A_GRAPH else None
        said: list[tuple[torch.Tensor, torch.cuda.Event]] = []
        for _ in range(1, most):
            flag, event = torch.empty((), dtype=torch.bool, pin_memory=True), torch.cuda.Event()
            flag.copy_(done, non_blocking=True)
            event.record()
            said.append((flag, event))
            while said and said[0][1].query():
                if bool(said.pop(0)[0]):
                    return
            if graph is None:
                step()
            else:
                graph.replay()


def _recorded(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    graph, beside = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    # Not `torch.cuda.graph`, which collects Python's garbage and empties torch's cache each time.
    with torch.cuda.stream(beside):
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            step()
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(beside)
    return graph
