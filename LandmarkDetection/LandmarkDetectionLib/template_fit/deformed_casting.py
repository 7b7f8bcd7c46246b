"""The kernel that casts rays through a head while it is deformed: line integrals and what each parameter does to them.

Nothing is resampled: each sample of a ray asks where in the template it comes from, by a coarse grid of origins and by
the jaw. With ∇µ taken there, a rigid motion, a change of the grid and a wider opening of the jaw all follow by the
chain rule. The grid's derivative is gathered for the eight nodes of a cell and multiplied by the modes once for each
cell that a ray leaves.
"""

from __future__ import annotations

import math

import numpy as np
from DiffRegistrationLib.xray.projector.compile_cache import compiled
from numba import prange

from ..population.jaw import turned_back

# Columns of the derivative before those of the modes: rotation, translation, the jaw's opening, bone's density.
FIXED = 8


@compiled()
def _sampled(volume, x, y, z, gradient):  # type: ignore[no-untyped-def]
    """Linear between voxels with its gradient per voxel; 0 outside."""
    if not (0 <= x < volume.shape[2] - 1 and 0 <= y < volume.shape[1] - 1 and 0 <= z < volume.shape[0] - 1):
        gradient[:] = 0.0
        return 0.0
    i, j, k = int(x), int(y), int(z)
    x -= i
    y -= j
    z -= k
    a, b = volume[k, j, i], volume[k, j, i + 1]
    c, d = volume[k, j + 1, i], volume[k, j + 1, i + 1]
    e, f = volume[k + 1, j, i], volume[k + 1, j, i + 1]
    g, h = volume[k + 1, j + 1, i], volume[k + 1, j + 1, i + 1]
    ab, cd, ef, gh = a + x * (b - a), c + x * (d - c), e + x * (f - e), g + x * (h - g)
    near, far = ab + y * (cd - ab), ef + y * (gh - ef)
    gradient[0] = (1 - z) * ((1 - y) * (b - a) + y * (d - c)) + z * ((1 - y) * (f - e) + y * (h - g))
    gradient[1] = (1 - z) * (cd - ab) + z * (gh - ef)
    gradient[2] = far - near
    return near + z * (far - near)


@compiled()
def _entry(origin, direction, upper, t0, t1):  # type: ignore[no-untyped-def]
    """Part of a ray between 0 and `upper`, cut from [t0, t1]."""
    if abs(direction) < 1e-12:
        return (t0, t1) if 0.0 <= origin <= upper else (1.0, 0.0)
    ta, tb = -origin / direction, (upper - origin) / direction
    return max(t0, min(ta, tb)), min(t1, max(ta, tb))


@compiled(parallel=True)
def cast_deformed(  # type: ignore[no-untyped-def]
    volume,
    voxel_from_head,
    origin,
    modes,
    first,
    spacing,
    jaw,
    wider,
    bone_above,
    density,
    source,
    target,
    step_mm,
    image,
    jacobian,
):
    """Fill `image` (n) and, unless it has no rows, `jacobian` (n, FIXED + m), as `source` and `target` (n, 3) see it.

    `origin` (k, j, i, 3) are the places of the open-mouthed template (mm, its head's frame) that nodes come from,
    `spacing` mm apart from `first`; `modes` (k, j, i, 3, m) change them. `jaw` and `wider` are a jaw's parameters and
    those of one that is opened wider by a degree. `voxel_from_head` (3, 4) leads to indices of `volume` (k, j, i),
    mm⁻¹, which has a border of zeros; what is above `bone_above` is raised by `density` times its excess. Rays are in
    the deformed head's frame; twists turn it about its origin.
    """
    M = voxel_from_head
    wants_jacobian = jacobian.shape[0] > 0
    count_of_modes = modes.shape[4]
    ends = np.array([origin.shape[2] - 1.001, origin.shape[1] - 1.001, origin.shape[0] - 1.001])
    for ray in prange(len(image)):
        s = (source[ray] - first) / spacing
        d = (target[ray] - source[ray]) / spacing
        t0, t1 = 0.0, 1.0
        for axis in range(3):
            t0, t1 = _entry(s[axis], d[axis], ends[axis], t0, t1)
        total = 0.0
        out = np.zeros(jacobian.shape[1])
        if t1 > t0:
            length = spacing * math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            count = math.ceil((t1 - t0) * length / step_mm)
            dt = (t1 - t0) / count
            weight = dt * length
            gradient, beside = np.zeros(3), np.zeros(3)
            gathered = np.zeros((8, 3))
            corner = np.zeros(8)
            cell_i, cell_j, cell_k = -1, -1, -1
            touched = False
            for n in range(count):
                t = t0 + (n + 0.5) * dt
                x, y, z = s[0] + t * d[0], s[1] + t * d[1], s[2] + t * d[2]
                i, j, k = int(x), int(y), int(z)
                if wants_jacobian and (i != cell_i or j != cell_j or k != cell_k):
                    if touched:
                        _add_cell(modes, cell_k, cell_j, cell_i, gathered, out)
                        gathered[:] = 0.0
                        touched = False
                    cell_i, cell_j, cell_k = i, j, k
                x -= i
                y -= j
                z -= k
                px, py, pz = 0.0, 0.0, 0.0
                for c in range(8):
                    ci, cj, ck = c & 1, (c >> 1) & 1, c >> 2
                    w = (x if ci else 1 - x) * (y if cj else 1 - y) * (z if ck else 1 - z)
                    corner[c] = w
                    px += w * origin[k + ck, j + cj, i + ci, 0]
                    py += w * origin[k + ck, j + cj, i + ci, 1]
                    pz += w * origin[k + ck, j + cj, i + ci, 2]
                qy, qz = turned_back(px, py, pz, jaw)
                value = _sampled(
                    volume,
                    M[0, 0] * px + M[0, 1] * qy + M[0, 2] * qz + M[0, 3],
                    M[1, 0] * px + M[1, 1] * qy + M[1, 2] * qz + M[1, 3],
                    M[2, 0] * px + M[2, 1] * qy + M[2, 2] * qz + M[2, 3],
                    gradient,
                )
                excess = max(value - bone_above, 0.0)
                total += weight * (value + density * excess)
                if not wants_jacobian:
                    continue
                steep = weight * (1.0 + density) if excess > 0 else weight
                out[7] += weight * excess
                wy, wz = turned_back(px, py, pz, wider)
                if wy != qy or wz != qz:
                    opened = _sampled(
                        volume,
                        M[0, 0] * px + M[0, 1] * wy + M[0, 2] * wz + M[0, 3],
                        M[1, 0] * px + M[1, 1] * wy + M[1, 2] * wz + M[1, 3],
                        M[2, 0] * px + M[2, 1] * wy + M[2, 2] * wz + M[2, 3],
                        beside,
                    )
                    out[6] += steep * (opened - value)
                hx = steep * (M[0, 0] * gradient[0] + M[1, 0] * gradient[1] + M[2, 0] * gradient[2])
                hy = steep * (M[0, 1] * gradient[0] + M[1, 1] * gradient[1] + M[2, 1] * gradient[2])
                hz = steep * (M[0, 2] * gradient[0] + M[1, 2] * gradient[1] + M[2, 2] * gradient[2])
                if hx == 0 and hy == 0 and hz == 0:
                    continue
                if qy != py or qz != pz:
                    # Back through the jaw's turn.
                    ay, az, by, bz = py - jaw[1], pz - jaw[2], qy - jaw[1], qz - jaw[2]
                    square = ay * ay + az * az
                    cosine, sine = (ay * by + az * bz) / square, (ay * bz - az * by) / square
                    hy, hz = cosine * hy + sine * hz, -sine * hy + cosine * hz
                touched = True
                # A rigid motion moves samples within the grid, so it goes through the grid's own slope.
                gx, gy, gz = 0.0, 0.0, 0.0
                for c in range(8):
                    ci, cj, ck = c & 1, (c >> 1) & 1, c >> 2
                    w = corner[c]
                    gathered[c, 0] += w * hx
                    gathered[c, 1] += w * hy
                    gathered[c, 2] += w * hz
                    along = (
                        hx * origin[k + ck, j + cj, i + ci, 0]
                        + hy * origin[k + ck, j + cj, i + ci, 1]
                        + hz * origin[k + ck, j + cj, i + ci, 2]
                    )
                    wx, wy2, wz2 = (x if ci else 1 - x), (y if cj else 1 - y), (z if ck else 1 - z)
                    gx += (1.0 if ci else -1.0) * wy2 * wz2 * along
                    gy += (1.0 if cj else -1.0) * wx * wz2 * along
                    gz += (1.0 if ck else -1.0) * wx * wy2 * along
                gx /= spacing
                gy /= spacing
                gz /= spacing
                X = first[0] + spacing * (i + x)
                Y = first[1] + spacing * (j + y)
                Z = first[2] + spacing * (k + z)
                out[0] -= Y * gz - Z * gy
                out[1] -= Z * gx - X * gz
                out[2] -= X * gy - Y * gx
                out[3] -= gx
                out[4] -= gy
                out[5] -= gz
            if touched:
                _add_cell(modes, cell_k, cell_j, cell_i, gathered, out)
        image[ray] = total
        if wants_jacobian:
            for m in range(FIXED + count_of_modes):
                jacobian[ray, m] = out[m]


@compiled()
def _add_cell(modes, k, j, i, gathered, out):  # type: ignore[no-untyped-def]
    """What a cell's nodes do, times the modes."""
    for c in range(8):
        ci, cj, ck = c & 1, (c >> 1) & 1, c >> 2
        for axis in range(3):
            g = gathered[c, axis]
            row = modes[k + ck, j + cj, i + ci, axis]
            for m in range(modes.shape[4]):
                out[FIXED + m] += g * row[m]
