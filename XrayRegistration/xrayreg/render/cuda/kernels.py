"""Joseph's method, one thread per ray, compiled by numba for graphics cards.

P. M. Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE TMI 1 (1982).
A ray o + t d, in index coordinates, meets the slice n of its dominant axis a at

    p(n) = o_p + (n - o_a) m_p,    m_p = d_p / d_a,    and q(n) likewise,

and its line integral is I = l sum_n w(n) B_n(p, q), with B_n bilinear in the slice, air around it, and
l mm per slice. w(n) = clamp(sign(d_a) (n - o_a) + 1/2, 0, 1) leaves out what lies behind the source; in
parallel rays it is 1. The derivatives follow from the sums of B's derivatives and of their first moments
in n, by the chain rule.

Slices are counted from the middle one, so that the moments stay small. Positions in a slice are 64-bit
integers in units of 2^-32 voxel: as exact as float64, which many graphics cards do dozens of times more
slowly, and their integer parts cost nothing.
"""

import math
from collections import namedtuple

import numpy as np
from numba import cuda

# Python's floats would turn what they touch into float64.
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
_BITS = 32
_UNITS = 2.0**_BITS
_BELOW_ONE = 2**_BITS - 1
_HALF_UNITS = 2 ** (_BITS - 1)
_PER_UNIT = np.float32(1 / _UNITS)
_PARALLEL = np.float32(1e-9)  # slopes below this do not leave a voxel within any volume
_MARGIN = np.float32(1 + 1e-3)  # float32 places the ray to better than this beyond a voxel

# A ray that advances most along one axis, its slices counted from the middle one.
#   axis: of (i, j, k); the other two, in this order, are p and q.
#   first, behind: the slices where the ray is less than a voxel from the volume; none if first >= behind.
#   p, q: where it meets the middle slice; slope_p, slope_q: change per slice. Units of 2^-32 voxel.
#   sign, offset: float32; a slice weighs clamp(sign * slice + offset, 0, 1).
#   d_a: float32, of its direction. from_source: float32, the middle slice less o_a.
#   count_p, count_q: voxels of a slice. start: place of voxel (0, 0) of the middle slice in the flat
#   volume; stride, stride_p, stride_q: from there to the next slice, p and q.
Line = namedtuple(
    "Line",
    "axis first behind p q slope_p slope_q sign offset d_a from_source "
    "count_p count_q start stride stride_p stride_q",
)

_device = cuda.jit(device=True)


@_device
def component(axis, vector):
    return vector[0] if axis == 0 else (vector[1] if axis == 1 else vector[2])


@_device
def placed(axis, along, p, q):
    """(i, j, k) components from those along the axis and the other two."""
    if axis == 0:
        return along, p, q
    if axis == 1:
        return p, along, q
    return p, q, along


@_device
def applied(matrix, x):
    """matrix @ x, 3x3 and 3."""
    return (
        matrix[0, 0] * x[0] + matrix[0, 1] * x[1] + matrix[0, 2] * x[2],
        matrix[1, 0] * x[0] + matrix[1, 1] * x[1] + matrix[1, 2] * x[2],
        matrix[2, 0] * x[0] + matrix[2, 1] * x[1] + matrix[2, 2] * x[2],
    )


@_device
def applied_transposed(matrix, x):
    return (
        matrix[0, 0] * x[0] + matrix[1, 0] * x[1] + matrix[2, 0] * x[2],
        matrix[0, 1] * x[0] + matrix[1, 1] * x[1] + matrix[2, 1] * x[2],
        matrix[0, 2] * x[0] + matrix[1, 2] * x[1] + matrix[2, 2] * x[2],
    )


@_device
def cross(x, y):
    return x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]


@_device
def dominant_axis(d):
    if abs(d[0]) >= abs(d[1]):
        return 0 if abs(d[0]) >= abs(d[2]) else 2
    return 1 if abs(d[1]) >= abs(d[2]) else 2


# numba's own min and max do not compile for CUDA in every version.
@_device
def lesser(x, y):
    return x if x < y else y


@_device
def greater(x, y):
    return x if x > y else y


@_device
def narrowed(bounds, at, slope, count):
    """The part of ``bounds``, slices, where at + slope * slice lies less than a voxel from 0..count - 1."""
    low, high = bounds
    before, after = -_MARGIN, np.float32(count - 1) + _MARGIN
    if abs(slope) > _PARALLEL:
        one, other = (before - at) / slope, (after - at) / slope
        return greater(low, lesser(one, other)), lesser(high, greater(one, other))
    if before < at and at < after:
        return low, high
    return low, low - ONE


@_device
def in_units(x):
    return np.int64(math.floor(x * _UNITS + 0.5))


@_device
def pixel_of(pixels, columns, rows, listed):
    """(place in the image, (u, v, 1)) of this thread; the place of a thread without a pixel is -1."""
    column, row = cuda.grid(2)
    place = row * columns + column if column < columns and row < rows else -1
    if listed and place >= 0:
        return place, (pixels[place, 0], pixels[place, 1], 1.0)
    return place, (np.float64(column), np.float64(row), 1.0)


@_device
def line_of(index_frame, pixel, layout, has_source):
    """The `Line` of a pixel; index_frame: (origins, directions) in index coordinates, float64."""
    o, d = applied(index_frame[0], pixel), applied(index_frame[1], pixel)
    axis = dominant_axis(d)
    p_axis, q_axis = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    count, count_p, count_q = layout[axis, 0, 0], layout[axis, 1, 0], layout[axis, 2, 0]
    stride, stride_p, stride_q = layout[axis, 0, 1], layout[axis, 1, 1], layout[axis, 2, 1]
    middle = np.int64(count // 2)

    d_a = component(axis, d)
    from_source = middle - component(axis, o)
    slope_p, slope_q = component(p_axis, d) / d_a, component(q_axis, d) / d_a
    p = component(p_axis, o) + from_source * slope_p
    q = component(q_axis, o) + from_source * slope_q

    bounds = np.float32(-middle), np.float32(count - 1 - middle)
    bounds = narrowed(bounds, np.float32(p), np.float32(slope_p), count_p)
    bounds = narrowed(bounds, np.float32(q), np.float32(slope_q), count_q)
    first, behind = np.int32(0), np.int32(0)
    if bounds[0] <= bounds[1]:
        first, behind = np.int32(math.ceil(bounds[0])), np.int32(math.floor(bounds[1]) + ONE)
    sign = 0.0
    if has_source:
        sign = 1.0 if d_a > 0 else -1.0
    offset = 0.5 + sign * from_source if has_source else 1.0
    return Line(
        axis, first, behind,
        in_units(p), in_units(q), in_units(slope_p), in_units(slope_q),
        np.float32(sign), np.float32(offset), np.float32(d_a), np.float32(from_source),
        count_p, count_q, middle * stride, stride, stride_p, stride_q,
    )  # fmt: skip


@_device
def in_camera(matrix, pixel):
    """Origin or direction of a pixel's ray, float32."""
    return applied(matrix, (np.float32(pixel[0]), np.float32(pixel[1]), ONE))


@_device
def mm_per_slice(line, d_camera):
    """l; d_camera: the ray's direction in the camera."""
    x, y, z = d_camera
    return math.sqrt(x * x + y * y + z * z) / abs(line.d_a)


@_device
def ahead(line, n):
    """How much of the slice n lies ahead of the source; 0..1 within the slice in which it lies."""
    return line.sign * np.float32(n) + line.offset


@_device
def clamped(x):
    return lesser(greater(x, ZERO), ONE)


@_device
def meets(line, n):
    """Voxels (p, q) of slice n before the place where the ray meets it, and the float32 rest in 0..1."""
    p, q = line.p + n * line.slope_p, line.q + n * line.slope_q
    return np.int32(p >> _BITS), np.int32(q >> _BITS), rest(p), rest(q)


@_device
def rest(x):
    return np.float32(np.uint32(x & _BELOW_ONE)) * _PER_UNIT


@_device
def is_inside(line, p, q):
    # Not `and`, which branches.
    return (p >= 0) & (p < line.count_p) & (q >= 0) & (q < line.count_q)


@_device
def limited(p, count):
    return lesser(greater(p, np.int32(0)), np.int32(count - 1))


@_device
def place_of(line, n, p, q):
    """Of a voxel in the flat volume, or of the nearest one in its slice.

    Unsigned, since numba lets signed places count from the end.
    """
    p, q = limited(p, line.count_p), limited(q, line.count_q)
    return np.uint64(
        line.start + np.int64(n) * line.stride + np.int64(p) * line.stride_p + np.int64(q) * line.stride_q
    )


@_device
def voxel(values, line, n, p, q):
    # Read in any case: without a branch, the reads of a sample are under way together.
    x = values[place_of(line, n, p, q)]
    return x if is_inside(line, p, q) else ZERO


@_device
def corner_of(corner, p, q):
    """Of a sample's four voxels, (p, q), (p, q + 1), (p + 1, q), (p + 1, q + 1)."""
    return np.int32(p + (corner >> 1)), np.int32(q + (corner & 1))


@_device
def corner_weight(corner, x, y):
    """Of the same voxel, in linear interpolation."""
    return (x if corner & 2 else ONE - x) * (y if corner & 1 else ONE - y)


@_device
def sample(values, line, n):
    """B, and its derivatives by p and by q; at the voxels, where those jump, the ones from the right."""
    p, q, x, y = meets(line, n)
    p1, q1 = corner_of(3, p, q)
    v00, v01 = voxel(values, line, n, p, q), voxel(values, line, n, p, q1)
    v10, v11 = voxel(values, line, n, p1, q), voxel(values, line, n, p1, q1)
    low, high = v00 + y * (v01 - v00), v10 + y * (v11 - v10)
    return low + x * (high - low), high - low, (v01 - v00) + x * ((v11 - v10) - (v01 - v00))


@cuda.jit(cache=True)
def integrate(values, layout, index_frames, camera_frames, pixels, columns, rows, listed, has_source, images):
    """Writes line integrals into ``images`` [view, ray].

    Args:
        values: [voxel] float32, 1/mm, i fastest.
        layout: [axis, (slices, p, q)] (voxels, from one to the next in ``values``), int32.
        index_frames: [view] (origins, directions) of rays, 3x3 each, in index coordinates; float64.
        camera_frames: [view] (origins, directions, index_from_camera), 3x3 each; the rays in the camera,
            mm; float32.
        pixels: [ray] (u, v), float64, if ``listed``; then columns counts them, in one row.
        columns, rows: of the image.
        has_source: whether rays start at their origins.
    """
    place, pixel = pixel_of(pixels, columns, rows, listed)
    if place < 0:
        return
    for view in range(cuda.blockIdx.z, len(images), cuda.gridDim.z):
        line = line_of(index_frames[view], pixel, layout, has_source)
        total = ZERO
        for n in range(line.first, line.behind):
            total += clamped(ahead(line, n)) * sample(values, line, n)[0]
        images[view, place] = total * mm_per_slice(line, in_camera(camera_frames[view, 1], pixel))


@cuda.jit(cache=True)
def integrate_with_jacobian(
    values, layout, index_frames, camera_frames, pixels, columns, rows, listed, has_source, images, by_twist
):
    """As `integrate`, with derivatives by a twist left of each pose: ``by_twist`` [view, ray, 6]."""
    place, pixel = pixel_of(pixels, columns, rows, listed)
    if place < 0:
        return
    for view in range(cuda.blockIdx.z, len(images), cuda.gridDim.z):
        line = line_of(index_frames[view], pixel, layout, has_source)
        total, at_source = ZERO, ZERO
        by_p, by_q, moment_p, moment_q = ZERO, ZERO, ZERO, ZERO
        for n in range(line.first, line.behind):
            weight = ahead(line, n)
            b, b_p, b_q = sample(values, line, n)
            if weight > ZERO and weight < ONE:
                at_source += b
            weight = clamped(weight)
            total += weight * b
            by_p += weight * b_p
            by_q += weight * b_q
            moment_p += weight * b_p * np.float32(n)
            moment_q += weight * b_q * np.float32(n)
        d = in_camera(camera_frames[view, 1], pixel)
        mm = mm_per_slice(line, d)
        images[view, place] = total * mm
        by_origin, by_direction = by_ends(line, total, at_source, (by_p, by_q), (moment_p, moment_q))
        o = in_camera(camera_frames[view, 0], pixel)
        rotation, shift = turn(by_origin, by_direction, o, d, camera_frames[view, 2])
        for row in range(3):
            by_twist[view, place, row] = mm * component(row, rotation)
            by_twist[view, place, 3 + row] = mm * component(row, shift)


@_device
def by_ends(line, total, at_source, slopes, moments):
    """Derivatives, over l, by the ray's o and d in index coordinates.

    total, slopes, moments: sums over slices of B, of its derivatives by (p, q), and of these times n.
    at_source: B in the slice of the source.
    """
    m_p, m_q = np.float32(line.slope_p) * _PER_UNIT, np.float32(line.slope_q) * _PER_UNIT
    by_p, by_q = slopes
    # From here on n counts from the source.
    moment_p = moments[0] + line.from_source * by_p
    moment_q = moments[1] + line.from_source * by_q
    along = -(m_p * by_p + m_q * by_q) - line.sign * at_source
    along_d = -(m_p * moment_p + m_q * moment_q + total)
    d_a = line.d_a
    by_origin = placed(line.axis, along, by_p, by_q)
    return by_origin, placed(line.axis, along_d / d_a, moment_p / d_a, moment_q / d_a)


@_device
def turn(by_origin, by_direction, o, d, index_from_camera):
    """Derivatives by a twist (omega, v) on the left of camera_from_patient: (by omega, by v).

    It moves the patient; seen from there, a ray's origin o and direction d, in the camera, change by
    -(omega x o + v) and -(omega x d).
    """
    f = applied_transposed(index_from_camera, by_origin)
    g = applied_transposed(index_from_camera, by_direction)
    o_f, d_g = cross(o, f), cross(d, g)
    return (-o_f[0] - d_g[0], -o_f[1] - d_g[1], -o_f[2] - d_g[2]), (-f[0], -f[1], -f[2])


@cuda.jit(cache=True)
def backproject(
    volume, layout, index_frames, camera_frames, pixels, columns, rows, listed, has_source, weights
):
    """The transpose of `integrate`: adds weights [view, ray] to ``volume`` [voxel]."""
    place, pixel = pixel_of(pixels, columns, rows, listed)
    if place < 0:
        return
    for view in range(cuda.blockIdx.z, len(weights), cuda.gridDim.z):
        if weights[view, place] == ZERO:
            continue
        line = line_of(index_frames[view], pixel, layout, has_source)
        weight = weights[view, place] * mm_per_slice(line, in_camera(camera_frames[view, 1], pixel))
        for n in range(line.first, line.behind):
            part = weight * clamped(ahead(line, n))
            p, q, x, y = meets(line, n)
            for corner in range(4):
                corner_p, corner_q = corner_of(corner, p, q)
                if is_inside(line, corner_p, corner_q):
                    share = part * corner_weight(corner, x, y)
                    cuda.atomic.add(volume, place_of(line, n, corner_p, corner_q), share)


@cuda.jit(cache=True)
def integrate_labels(
    values, layout, index_frames, camera_frames, pixels, columns, rows, listed, has_source,
    channels, hard_samples, images,
):  # fmt: skip
    """Adds to ``images`` [view, channel, ray], as `reference.joseph_labels`.

    channels: [voxel] integers. hard_samples: per slice; 0 if soft.
    """
    place, pixel = pixel_of(pixels, columns, rows, listed)
    if place < 0:
        return
    parts = hard_samples if hard_samples > 0 else 4
    for view in range(cuda.blockIdx.z, len(images), cuda.gridDim.z):
        line = line_of(index_frames[view], pixel, layout, has_source)
        mm = mm_per_slice(line, in_camera(camera_frames[view, 1], pixel))
        current, total = np.int64(-1), ZERO
        for n in range(line.first, line.behind):
            for part in range(parts):
                if hard_samples > 0:
                    p, q, weight = nearest_of(line, n, part, parts)
                else:
                    p, q, weight = weighted_corner(line, n, part)
                channel = np.int64(channels[place_of(line, n, p, q)])
                # Runs of one structure are long: most of the sum stays out of memory.
                if channel != current:
                    deposit(images, view, current, place, mm * total)
                    current, total = channel, ZERO
                total += weight * voxel(values, line, n, p, q)
        deposit(images, view, current, place, mm * total)


@_device
def weighted_corner(line, n, corner):
    """(p, q) of one of the four voxels of a sample, and what part of the slice's length it stands for."""
    p, q, x, y = meets(line, n)
    p, q = corner_of(corner, p, q)
    return p, q, clamped(ahead(line, n)) * corner_weight(corner, x, y)


@_device
def nearest_of(line, n, part, parts):
    """(p, q) of the voxel in which one of the equal parts of a slice has its middle, and the like."""
    count = np.float32(parts)
    beside = (np.float32(part) + HALF) / count - HALF
    p = line.p + n * line.slope_p + np.int64(beside * np.float32(line.slope_p)) + _HALF_UNITS
    q = line.q + n * line.slope_q + np.int64(beside * np.float32(line.slope_q)) + _HALF_UNITS
    weight = clamped((ahead(line, np.float32(n) + beside) - HALF) * count + HALF) / count
    return np.int32(p >> _BITS), np.int32(q >> _BITS), weight


@_device
def deposit(images, view, channel, place, total):
    if channel >= 0 and channel < images.shape[1]:
        images[view, channel, place] += total
