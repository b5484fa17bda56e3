"""A projector of its own for benchmarks: trilinear samples at even steps, all materials in one go.

Written plainly and apart from the package's projectors, so that what they register was not made by them.
"""

import math

import numba
import numpy as np
import torch
from xrayreg.geometry import Camera
from xrayreg.images import Volume
from xrayreg.render import materials_of

STEP_MM = 0.6


def material_paths(volume: Volume, camera: Camera) -> dict[str, torch.Tensor]:
    """For each material line integrals [row, column] at 70 keV through the pixels' middles."""
    materials = materials_of(volume)
    stacked = np.stack([density.values.numpy() for density in materials.values()], axis=-1)
    columns, rows = camera.size
    u, v = np.meshgrid(np.arange(columns), np.arange(rows))
    directions = camera.ray_directions(np.stack([u, v], axis=-1)).reshape(-1, 3)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    index_from_camera = volume.grid.index_from_patient @ camera.patient_from_camera
    sums = _sums(
        np.ascontiguousarray(stacked),
        index_from_camera[:3, 3].copy(),
        np.ascontiguousarray(directions @ index_from_camera[:3, :3].T),
        STEP_MM,
    )
    return {
        name: torch.from_numpy(sums[:, n].reshape(rows, columns).copy()) for n, name in enumerate(materials)
    }


@numba.njit(parallel=True, fastmath=True, cache=True)
def _sums(values, source, directions, step):
    """(rays, materials): ``source`` and ``directions`` (per mm) in index coordinates."""
    nk, nj, ni, count = values.shape
    size = (ni, nj, nk)
    result = np.zeros((len(directions), count))
    for ray in numba.prange(len(directions)):
        near, far = 0.0, 1e9
        for axis in range(3):
            d = directions[ray, axis]
            if abs(d) < 1e-12:
                if not 0 < source[axis] < size[axis] - 1:
                    far = -1.0
                continue
            a, b = -source[axis] / d, (size[axis] - 1 - source[axis]) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
        if far <= near:
            continue
        steps = math.ceil((far - near) / step)
        length = (far - near) / steps
        for n in range(steps):
            t = near + (n + 0.5) * length
            x, y, z = (
                source[0] + t * directions[ray, 0],
                source[1] + t * directions[ray, 1],
                source[2] + t * directions[ray, 2],
            )
            i, j, k = min(int(x), ni - 2), min(int(y), nj - 2), min(int(z), nk - 2)
            fx, fy, fz = x - i, y - j, z - k
            for dk in range(2):
                wz = fz if dk else 1 - fz
                for dj in range(2):
                    wy = wz * (fy if dj else 1 - fy)
                    for di in range(2):
                        w = wy * (fx if di else 1 - fx) * length
                        for m in range(count):
                            result[ray, m] += w * values[k + dk, j + dj, i + di, m]
    return result
