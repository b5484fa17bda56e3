"""The next batch, made while the network learns from this one: neither keeps all cores busy by itself."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from .simulation import Batch, Simulation


class Ahead:
    """Answers batches that are asked for one after the other; any other, too, but then without a gain."""

    def __init__(self):
        self._maker: ThreadPoolExecutor | None = None
        self._next: tuple[Simulation, int, Sequence[int], Future] | None = None

    def batch(self, simulation: Simulation, number: int, chunks: Sequence[int]) -> Batch:
        """As `Simulation.batch`, whose batches depend on nothing but what is asked for."""
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, thread_name_prefix="xrayreg-batches")
        expected = self._next
        if expected is None or expected[0] is not simulation or expected[1:3] != (number, chunks):
            expected = (simulation, number, chunks, self._maker.submit(simulation.batch, number, chunks))
        batch = expected[3].result()
        following = self._maker.submit(simulation.batch, number + 1, chunks)
        self._next = (simulation, number + 1, chunks, following)
        return batch
