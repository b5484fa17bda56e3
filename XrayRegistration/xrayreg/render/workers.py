"""Work shared among the processor's cores by threads that run compiled code."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="xrayreg-render")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


def share(work: Callable[..., None], jobs: Sequence[tuple]) -> None:
    """Calls ``work(*job)`` for every job on as many threads as torch uses; raises what a job raised.

    Threads of Python, not of numba: its own may not be entered by two threads at once, as a GUI does.
    """
    threads = min(torch.get_num_threads(), len(jobs))
    if threads <= 1:
        for job in jobs:
            work(*job)
        return
    remaining = iter(jobs)  # list iterators are safe to share

    def run() -> None:
        for job in remaining:
            work(*job)

    for future in [_pool(torch.get_num_threads()).submit(run) for _ in range(threads)]:
        future.result()
