"""Random numbers, vectors and rigid motions for property-based tests."""

import numpy as np
from hypothesis import strategies as st
from xrayreg.geometry import exp_se3


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


def vectors(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    return st.tuples(*[numbers(low, high)] * 3).map(np.array)


@st.composite
def motions(draw, shift_mm: float = 500.0) -> np.ndarray:
    """Any rigid motion (4, 4), all turns."""
    turn = draw(vectors(-np.pi / np.sqrt(3), np.pi / np.sqrt(3)))
    motion = exp_se3(np.concatenate([turn, np.zeros(3)]))
    motion[:3, 3] = draw(vectors(-shift_mm, shift_mm))
    return motion
