"""Joseph's method on packed slabs (see `slabs`), compiled by numba.

P. M. Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE TMI 1 (1982).
A ray o + t d, in index coordinates, meets the slice n of its dominant axis a at

    p(n) = o_p + (n - o_a) m_p,    m_p = d_p / d_a,    and q(n) likewise,

and its line integral is I = l sum_n w(n) B_n(p, q), with B_n bilinear in the slice and l mm per slice.
w is 1, but for the slice in which the source lies. The derivatives follow from the sums of B's
derivatives and of their first moments in n, by the chain rule.

Eight slices are one group of lanes. Instead of looking up four voxels for each of them, the kernels go
through the columns of voxels that the ray passes within those slices, each one read in one go, and
weight every voxel by its distance from the ray.
"""

import math

import numpy as np
from numba import njit

from ..reference import HARD_SAMPLES
from .lanes import LANES, add_to, clamped, hat, hat_slope, load, ramp, splat, total, within

_OPTIONS = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}
_SPAN = np.float32(LANES - 1)
_BLOCK = 16
_PARALLEL = 1e-9  # slopes below this do not leave a voxel within any volume

SUMS = 6  # of B, its derivatives by p and q, their moments in n, and B in the slice of the source


def scratch_for(count):
    """Working memory of `integrate` for tiles of up to this many rays; one thread may use it at a time."""
    return (
        np.empty(count * SUMS * LANES, np.float32),
        np.empty((count, 7), np.float32),
        np.empty((count, 5), np.int32),
        np.empty(count, np.bool_),
    )


@njit(**_OPTIONS)
def dominant_axis(d):
    if abs(d[0]) >= abs(d[1]):
        return 0 if abs(d[0]) >= abs(d[2]) else 2
    return 1 if abs(d[1]) >= abs(d[2]) else 2


@njit(**_OPTIONS)
def point_of(place, width, pixels):
    """(u, v) of a ray by its place in the image; ``pixels`` is empty for whole images."""
    if len(pixels) > 0:
        return pixels[place, 0], pixels[place, 1]
    return np.float64(place % width), np.float64(place // width)


@njit(**_OPTIONS)
def pixel_of(number, first, counts, width, rows_run, pixels):
    """(place in the image, u, v) of the number-th ray of a tile."""
    if len(pixels) > 0:
        place = first[0] + number
    elif rows_run:
        place = (first[0] + number % counts[0]) * width + first[1] + number // counts[0]
    else:
        place = (first[0] + number // counts[1]) * width + first[1] + number % counts[1]
    u, v = point_of(place, width, pixels)
    return place, u, v


@njit(**_OPTIONS)
def meets_slices(o, m, last_p, last_q, count):
    """First and last slice, floats, where the ray is less than a voxel from the volume; none if first > last.

    o: where it meets slice 0; m: change per slice.
    """
    first, last = 0.0, count - 1.0
    for at, slope, end in ((o[0], m[0], last_p + 1.0), (o[1], m[1], last_q + 1.0)):
        if abs(slope) > _PARALLEL:
            one, other = (-1.0 - at) / slope, (end - at) / slope
            first, last = max(first, min(one, other)), min(last, max(one, other))
        elif at <= -1.0 or at >= end:
            last = -1.0
    return first, last


@njit(**_OPTIONS)
def trace(pixel, axis, origins, directions, size, from_source, line, groups):
    """Fill the ray's ``line`` (p and q at slice 0, their slopes, o_a, sign of d_a or 0, d_a) and ``groups``.

    groups: first and behind the last group of slices, columns of voxels to visit along p and q in each,
    and along q beside one p. Rays of other dominant axes, and those that miss, get no groups.
    """
    groups[0] = groups[1] = 0
    u, v = pixel
    o, d = applied(origins, u, v), applied(directions, u, v)
    if dominant_axis(d) != axis:
        return False
    p_axis, q_axis = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    m = (d[p_axis] / d[axis], d[q_axis] / d[axis])
    at = (o[p_axis] - o[axis] * m[0], o[q_axis] - o[axis] * m[1])
    first, last = meets_slices(at, m, size[p_axis] - 1, size[q_axis] - 1, size[axis])
    sign = 0.0
    if from_source:
        forward = d[axis] > 0
        if forward:
            first = max(first, o[axis] - 0.5)
        else:
            last = min(last, o[axis] + 0.5)
        if -0.5 <= o[axis] <= size[axis] - 0.5:
            sign = 1.0 if forward else -1.0
    line[0], line[1], line[2], line[3] = at[0], at[1], m[0], m[1]
    line[4], line[5], line[6] = o[axis], sign, d[axis]
    if last >= first:
        groups[0] = int(first) // LANES
        groups[1] = int(last) // LANES + 1
        groups[2] = math.ceil((LANES - 1) * abs(m[0])) + 2
        groups[3] = max(math.ceil((LANES - 1) * abs(m[1])) + 2, 3)
        groups[4] = groups[3]
        if abs(m[1]) < LANES * abs(m[0]):
            groups[4] = min(groups[3], math.ceil(2 * abs(m[1] / m[0])) + 2)
    return True


@njit(**_OPTIONS)
def block(at, slope, wide, columns):
    """The first of the ``wide`` columns along p or q to visit within a group, and the ray's distance from it.

    at: where the ray meets the group's first slice. Columns beside the ray weigh nothing, so the block may
    be moved into the volume.
    """
    low = np.int32(min(at, at + slope * _SPAN))
    first = min(max(low, np.int32(0)), np.int32(columns) - wide)
    return first, splat(slope) * ramp() + splat(at - np.float32(first))


@njit(**_OPTIONS)
def beside_first(at_p, at_q, slope_p, slope_q, first_p, first_q, narrow):
    """Where along q, from first_q, the columns begin that the ray passes beside first_p; its change per p.

    Zeros unless ``narrow``: then all columns of the block are visited beside each p.
    """
    if not narrow:
        return np.float32(0), np.float32(0)
    ratio = slope_q / slope_p
    at_first = (at_q - np.float32(first_q)) + (np.float32(first_p) - at_p) * ratio
    return at_first - abs(ratio), ratio


@njit(**_OPTIONS)
def ahead_of(sign, o_a, slices):
    """How much of each slice lies ahead of the source: 0..1 within the one in which it lies."""
    return splat(sign) * (slices - splat(o_a)) + splat(np.float32(0.5))


@njit(**_OPTIONS)
def length_of(directions, u, v):
    """Of a pixel's direction, (3, 3) matrix times (u, v, 1)."""
    d = applied(directions, u, v)
    return math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)


@njit(**_OPTIONS)
def integrate(
    slabs,
    size,
    scale,
    axis,
    view,
    from_source,
    first,
    counts,
    width,
    rows_run,
    pixels,
    image,
    jacobian,
    scratch,
):
    """The rays of one tile of one view: writes ``image`` [ray] and ``jacobian`` [ray, 6].

    slabs: [group of slices, p, q, lane], int16 or float32, to be multiplied by ``scale``.
    view: (origins, directions) in index coordinates, (origins, directions) in the camera, index_from_camera;
        3x3 each. jacobian: None if not wanted. scratch: from `scratch_for`.
    """
    origins, directions, _, directions_camera, _ = view
    flat = slabs.reshape(-1)
    columns_p, columns_q = slabs.shape[1], slabs.shape[2]
    count = counts[0] * counts[1]
    channels = 1 if jacobian is None else SUMS
    sums, lines, groups, mine = scratch
    sums[: count * channels * LANES] = 0
    low, high = slabs.shape[0], 0
    for ray in range(count):
        _, u, v = pixel_of(ray, first, counts, width, rows_run, pixels)
        mine[ray] = trace((u, v), axis, origins, directions, size, from_source, lines[ray], groups[ray])
        if groups[ray, 1] > groups[ray, 0]:
            low, high = min(low, groups[ray, 0]), max(high, groups[ray, 1])

    zero, one = splat(np.float32(0)), splat(np.float32(1))
    # All rays of the tile go through the slices together, and so share what they read.
    for group in range(low, high):
        start = np.float32(LANES * group)
        slices = splat(start) + ramp()
        for ray in range(count):
            if group < groups[ray, 0] or group >= groups[ray, 1]:
                continue
            slope_p, slope_q = lines[ray, 2], lines[ray, 3]
            wide_p, wide_q, beside = groups[ray, 2], groups[ray, 3], groups[ray, 4]
            at_p, at_q = lines[ray, 0] + slope_p * start, lines[ray, 1] + slope_q * start
            first_p, x = block(at_p, slope_p, wide_p, columns_p)
            first_q, y = block(at_q, slope_q, wide_q, columns_q)
            value, by_p, by_q = zero, zero, zero
            place = (np.int64(group) * columns_p + first_p) * columns_q + first_q
            if wide_q <= 3:  # the usual case, unrolled
                y1, y2 = y - one, y - one - one
                w0, w1, w2 = hat(y), hat(y1), hat(y2)
                if jacobian is not None:
                    s0, s1, s2 = hat_slope(y), hat_slope(y1), hat_slope(y2)
                for _ in range(wide_p):
                    v0, v1, v2 = load(flat, place), load(flat, place + 1), load(flat, place + 2)
                    row = w0 * v0 + w1 * v1 + w2 * v2
                    weight = hat(x)
                    value = value + weight * row
                    if jacobian is not None:
                        by_p = by_p + hat_slope(x) * row
                        by_q = by_q + weight * (s0 * v0 + s1 * v1 + s2 * v2)
                    x = x - one
                    place += columns_q
            else:
                # Oblique in both: beside each p only the few columns where the ray is near it.
                offset, ratio = beside_first(at_p, at_q, slope_p, slope_q, first_p, first_q, beside < wide_q)
                for _ in range(wide_p):
                    skipped = min(max(np.int32(offset), np.int32(0)), wide_q - beside)
                    offset += ratio
                    row, row_by_q = zero, zero
                    y_here = y - splat(np.float32(skipped))
                    here = place + np.int64(skipped)
                    for _ in range(beside):
                        voxels = load(flat, here)
                        row = row + hat(y_here) * voxels
                        if jacobian is not None:
                            row_by_q = row_by_q + hat_slope(y_here) * voxels
                        y_here = y_here - one
                        here += 1
                    weight = hat(x)
                    value = value + weight * row
                    if jacobian is not None:
                        by_p = by_p + hat_slope(x) * row
                        by_q = by_q + weight * row_by_q
                    x = x - one
                    place += columns_q
            here = np.int64(ray) * channels
            sign = lines[ray, 5]
            if sign != 0:  # the source lies inside: nothing behind it counts
                ahead = ahead_of(sign, lines[ray, 4], slices)
                if jacobian is not None:
                    add_to(sums, here + 5, within(ahead) * value)
                    by_p, by_q = clamped(ahead) * by_p, clamped(ahead) * by_q
                value = clamped(ahead) * value
            add_to(sums, here, value)
            if jacobian is not None:
                add_to(sums, here + 1, by_p)
                add_to(sums, here + 2, by_q)
                add_to(sums, here + 3, by_p * slices)
                add_to(sums, here + 4, by_q * slices)

    for ray in range(count):
        if mine[ray]:
            place, u, v = pixel_of(ray, first, counts, width, rows_run, pixels)
            mm = scale * length_of(directions_camera, u, v) / abs(lines[ray, 6])
            here = np.int64(ray) * channels
            image[place] = mm * total(load(sums, here))
            if jacobian is not None:
                by_twist(u, v, axis, view, mm, lines[ray], sums, here, jacobian[place])


@njit(**_OPTIONS)
def by_twist(u, v, axis, view, mm, line, sums, here, result):
    """The derivative [6] of a ray's line integral by a twist (omega, v) on the left of camera_from_patient.

    The twist moves the patient; seen from there, a ray's origin o and direction d, in the camera, change by
    -(omega x o + v) and -(omega x d). mm: per slice. here: place of the ray's ``sums``.
    """
    _, _, origins_camera, directions_camera, index_from_camera = view
    m_p, m_q, o_a, sign, d_a = line[2], line[3], line[4], line[5], line[6]
    value, at_source = mm * total(load(sums, here)), mm * total(load(sums, here + 5))
    g_p, g_q = mm * total(load(sums, here + 1)), mm * total(load(sums, here + 2))
    k_p = mm * total(load(sums, here + 3)) - o_a * g_p
    k_q = mm * total(load(sums, here + 4)) - o_a * g_q
    by_origin = placed(axis, -(m_p * g_p + m_q * g_q) - sign * at_source, g_p, g_q)
    by_direction = placed(axis, -(m_p * k_p + m_q * k_q + value) / d_a, k_p / d_a, k_q / d_a)
    o, d = applied(origins_camera, u, v), applied(directions_camera, u, v)
    f, g = transposed(index_from_camera, by_origin), transposed(index_from_camera, by_direction)
    by_omega, also = cross(o, f), cross(d, g)
    for row in range(3):
        result[row] = -by_omega[row] - also[row]
        result[3 + row] = -f[row]


# Tuples in place of small arrays, which numba would take from the heap for every ray.
@njit(**_OPTIONS)
def applied(matrix, u, v):
    """matrix @ (u, v, 1)."""
    return (
        matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2],
        matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2],
        matrix[2, 0] * u + matrix[2, 1] * v + matrix[2, 2],
    )


@njit(**_OPTIONS)
def transposed(matrix, x):
    """matrix.T @ x."""
    return (
        matrix[0, 0] * x[0] + matrix[1, 0] * x[1] + matrix[2, 0] * x[2],
        matrix[0, 1] * x[0] + matrix[1, 1] * x[1] + matrix[2, 1] * x[2],
        matrix[0, 2] * x[0] + matrix[1, 2] * x[1] + matrix[2, 2] * x[2],
    )


@njit(**_OPTIONS)
def cross(x, y):
    return x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]


@njit(**_OPTIONS)
def placed(axis, along, p, q):
    """(i, j, k) components from those along the axis and the other two."""
    if axis == 0:
        return along, p, q
    if axis == 1:
        return p, along, q
    return p, q, along


@njit(**_OPTIONS)
def backproject(slabs, size, axis, view, from_source, first_group, behind_group, width, pixels, weights):
    """The transpose of `integrate`: adds every ray's weight [ray] to the voxels of some groups of slices.

    slabs: float32. No two calls that share groups may run at once.
    """
    origins, directions, _, directions_camera, _ = view
    flat = slabs.reshape(-1)
    columns_p, columns_q = slabs.shape[1], slabs.shape[2]
    line, groups = np.empty(7, np.float32), np.empty(5, np.int32)
    one = splat(np.float32(1))
    for ray in range(len(weights)):
        if weights[ray] == 0:
            continue
        u, v = point_of(ray, width, pixels)
        if not trace((u, v), axis, origins, directions, size, from_source, line, groups):
            continue
        weight = splat(np.float32(weights[ray] * length_of(directions_camera, u, v) / abs(line[6])))
        slope_p, slope_q = line[2], line[3]
        wide_p, wide_q, beside = groups[2], groups[3], groups[4]
        for group in range(max(groups[0], first_group), min(groups[1], behind_group)):
            start = np.float32(LANES * group)
            at_p, at_q = line[0] + slope_p * start, line[1] + slope_q * start
            first_p, x = block(at_p, slope_p, wide_p, columns_p)
            first_q, y = block(at_q, slope_q, wide_q, columns_q)
            share = weight
            if line[5] != 0:
                share = weight * clamped(ahead_of(line[5], line[4], splat(start) + ramp()))
            offset, ratio = beside_first(at_p, at_q, slope_p, slope_q, first_p, first_q, beside < wide_q)
            place = (np.int64(group) * columns_p + first_p) * columns_q + first_q
            for _ in range(wide_p):
                skipped = min(max(np.int32(offset), np.int32(0)), wide_q - beside)
                offset += ratio
                row = share * hat(x)
                y_here = y - splat(np.float32(skipped))
                here = place + np.int64(skipped)
                for _ in range(beside):
                    add_to(flat, here, row * hat(y_here))
                    y_here = y_here - one
                    here += 1
                x = x - one
                place += columns_q


@njit(**_OPTIONS)
def axes_used(directions, width, height, pixels):
    """Which axes dominate some ray of a view, [3] bool."""
    used = np.zeros(3, np.bool_)
    for ray in range(len(pixels) if len(pixels) > 0 else width * height):
        u, v = point_of(ray, width, pixels)
        used[dominant_axis(applied(directions, u, v))] = True
    return used


@njit(**_OPTIONS)
def pack(values, scale, rounded, first_group, behind_group, slabs):
    """Fills groups of ``slabs`` from values [p, q, slice] * scale."""
    count_p, count_q, count = values.shape
    for group in range(first_group, behind_group):
        behind = min(LANES, count - group * LANES)
        for block in range(0, count_p, _BLOCK):  # in blocks, since p or q may be far apart in memory
            for q in range(count_q):
                for p in range(block, min(block + _BLOCK, count_p)):
                    for lane in range(behind):
                        x = values[p, q, group * LANES + lane] * scale
                        slabs[group, p, q, lane] = math.floor(x + 0.5) if rounded else x


@njit(**_OPTIONS)
def integrate_labels(
    values, channels, soft, axis, view, from_source, first, counts, width, rows_run, pixels, images
):
    """The rays of one tile, one image [channel, ray] per structure; as `reference.joseph_labels`."""
    origins, directions, _, directions_camera, _ = view
    size = (values.shape[2], values.shape[1], values.shape[0])
    p_axis, q_axis = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    line, groups, voxel = np.empty(7, np.float64), np.empty(5, np.int32), np.empty(3, np.int64)
    for ray in range(counts[0] * counts[1]):
        place, u, v = pixel_of(ray, first, counts, width, rows_run, pixels)
        if not trace((u, v), axis, origins, directions, size, from_source, line, groups):
            continue
        mm = length_of(directions_camera, u, v) / abs(line[6])
        per_slice = 1 if soft else HARD_SAMPLES
        for sample in range(groups[0] * LANES * per_slice, min(groups[1] * LANES, size[axis]) * per_slice):
            n = (sample + 0.5) / per_slice - 0.5
            share = mm / per_slice
            if line[5] != 0:
                share *= min(max(line[5] * (n - line[4]) * per_slice + 0.5, 0.0), 1.0)
            p, q = line[0] + n * line[2], line[1] + n * line[3]
            voxel[axis] = sample // per_slice
            if not soft:
                voxel[p_axis], voxel[q_axis] = math.floor(p + 0.5), math.floor(q + 0.5)
                add_voxel(values, channels, voxel, size, share, place, images)
                continue
            floor_p, floor_q = math.floor(p), math.floor(q)
            for step_p in range(2):
                for step_q in range(2):
                    voxel[p_axis], voxel[q_axis] = floor_p + step_p, floor_q + step_q
                    weight = (1 - abs(p - voxel[p_axis])) * (1 - abs(q - voxel[q_axis]))
                    add_voxel(values, channels, voxel, size, share * weight, place, images)


@njit(**_OPTIONS)
def add_voxel(values, channels, voxel, size, weight, place, images):
    """Adds a voxel to the image of its structure, if it lies in the volume and was asked for."""
    i, j, k = voxel
    if 0 <= i < size[0] and 0 <= j < size[1] and 0 <= k < size[2]:
        channel = channels[k, j, i]
        if 0 <= channel < len(images):
            images[channel, place] += weight * values[k, j, i]
