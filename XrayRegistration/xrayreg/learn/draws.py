"""Random numbers, one a row, from an explicit generator."""

import math

import torch


class Draws:
    """Random columns [n, 1, 1] that broadcast over images [n, row, column].

    They are drawn on the generator's device and brought to the images': a generator on the CPU draws the
    same for every device.

    Args:
        generator: its state is all that the numbers depend on.
        like: floating point; its device and dtype are those of the numbers.
    """

    def __init__(self, generator: torch.Generator, like: torch.Tensor):
        self._generator = generator
        self._like = like

    def unit(self, *shape: int) -> torch.Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(shape, generator=self._generator, device=self._generator.device).to(self._like)

    def zeros(self, *shape: int) -> torch.Tensor:
        """No random numbers, where the random ones are."""
        return self._like.new_zeros(shape)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self._generator, device=self._generator.device).to(self._like)

    def uniform(self, count: int, ends: tuple[float, float]) -> torch.Tensor:
        return ends[0] + (ends[1] - ends[0]) * self.unit(count, 1, 1)

    def log_uniform(self, count: int, ends: tuple[float, float]) -> torch.Tensor:
        """Uniform in the logarithm; both ends positive."""
        return self.uniform(count, (math.log(ends[0]), math.log(ends[1]))).exp()

    def whole(self, count: int, ends: tuple[int, int]) -> torch.Tensor:
        """[n] whole numbers from the first end to the last, both of them included."""
        shape, device = (count,), self._generator.device
        numbers = torch.randint(
            int(ends[0]), int(ends[1]) + 1, shape, generator=self._generator, device=device
        )
        return numbers.to(self._like.device)

    def chance(self, count: int, probability: float) -> torch.Tensor:
        """[n] bool."""
        return self.unit(count) < probability

    def some(self, count: int, probability: float) -> torch.Tensor:
        """Indices of the rows that a stage with this probability is for."""
        return self.chance(count, probability).nonzero()[:, 0]
