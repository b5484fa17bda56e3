"""Parts of an X-ray that are left out by hand."""

import numpy as np


def without_polygon(mask: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """A mask less the pixels whose centres lie inside a closed polygon.

    Even-odd rule, exact for straight edges: a pixel is inside if the polygon crosses its row an odd number of
    times to its left. A centre on a left or upper edge is inside, on a right or lower edge outside.

    Args:
        mask: [row, column] bool, True where a pixel counts.
        corners: (n, 2) pixel (column, row), in their order around; they may lie outside the image.

    Returns:
        [row, column] bool, a new array.
    """
    rows, columns = mask.shape
    crossings = np.zeros((rows, columns + 1), np.int32)
    for (u, v), (next_u, next_v) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        top, bottom = sorted((v, next_v))
        crossed = np.arange(max(0, int(np.ceil(top))), min(rows, int(np.ceil(bottom))))  # top <= row < bottom
        if len(crossed):
            at = u + (crossed - v) * (next_u - u) / (next_v - v)
            first = np.clip(np.ceil(at), 0, columns).astype(int)
            crossings[crossed, first] += 1
    inside = np.cumsum(crossings[:, :columns], axis=1) % 2 == 1
    return mask & ~inside
