"""The kernel: how much of a ray, in mm, lies in the union of many parts."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ...projector.compile_cache import compiled
from .parts import Kind

_ROUND_CONE = int(Kind.ROUND_CONE)
_BOX = int(Kind.BOX)
# Rays that one task takes, and one buffer of crossings serves.
_RAYS_A_TASK = 512


@compiled()
def _roots(a, b, c):  # type: ignore[no-untyped-def]
    """Both t with a t² + 2 b t + c = 0, or (1, −1) without any; the larger in size first, the other without loss."""
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return 1.0, -1.0, False
    q = -(b + math.copysign(math.sqrt(discriminant), b))
    # A ray along a cone's flank has one root at infinity.
    first = q / a if abs(a) > 1e-30 else 1e30
    second = c / q if abs(q) > 1e-30 else first
    return first, second, True


@compiled()
def _slab(origin, direction, low, high, t0, t1):  # type: ignore[no-untyped-def]
    """Part of [t0, t1] with low ≤ origin + t direction ≤ high."""
    if abs(direction) < 1e-12:
        return (t0, t1) if low <= origin <= high else (1.0, 0.0)
    ta = (low - origin) / direction
    tb = (high - origin) / direction
    return max(t0, min(ta, tb)), min(t1, max(ta, tb))


@compiled()
def _round_cone(x, y, z, dx, dy, dz, r0, r1, length):  # type: ignore[no-untyped-def]
    """Crossing (t0, t1) of the hull of two balls.

    The hull is convex and is the union of both balls and of the cone that touches them, so its crossing runs from the
    first to the last point on any of their surfaces.
    """
    t0, t1 = 1e30, -1e30
    dd = dx * dx + dy * dy + dz * dz
    side = x * x + y * y
    along = x * dx + y * dy
    for end in range(2):
        h = z if end == 0 else z - length
        r = r0 if end == 0 else r1
        first, second, meets = _roots(dd, along + h * dz, side + h * h - r * r)
        if meets:
            t0 = min(t0, min(first, second))
            t1 = max(t1, max(first, second))
    slope = (r0 - r1) / length if length > abs(r0 - r1) else 1.0
    if abs(slope) < 1.0:
        cosine2 = 1.0 - slope * slope
        # Radius of the cone: (r0 − slope z)/cosine; it touches the balls at z = slope r0 and z = length + slope r1.
        reach = r0 - slope * z
        a = dx * dx + dy * dy - slope * slope * dz * dz / cosine2
        b = along + slope * dz * reach / cosine2
        c = side - reach * reach / cosine2
        first, second, meets = _roots(a, b, c)
        if meets:
            low, high = slope * r0, length + slope * r1
            if low <= z + first * dz <= high:
                t0, t1 = min(t0, first), max(t1, first)
            if low <= z + second * dz <= high:
                t0, t1 = min(t0, second), max(t1, second)
    return t0, t1


@compiled()
def _cylinder(x, y, z, dx, dy, dz, bore_x, bore_y, top):  # type: ignore[no-untyped-def]
    """Crossings (t0, t1) of the outer cylinder and (b0, b1) of its bore; an empty one has t1 ≤ t0."""
    t0, t1 = _slab(z, dz, -1.0, 1.0, 0.0, 1.0)
    t0, t1 = _slab(y, dy, -2.0, top, t0, t1)
    a = dx * dx + dy * dy
    if a < 1e-24:
        inside = x * x + y * y <= 1.0
        in_bore = bore_x > 0.0 and (x / bore_x) ** 2 + (y / bore_y) ** 2 < 1.0
        return (t0, t1, 1.0, 0.0) if inside and not in_bore else (1.0, 0.0, 1.0, 0.0)
    first, second, meets = _roots(a, x * dx + y * dy, x * x + y * y - 1.0)
    if not meets:
        return 1.0, 0.0, 1.0, 0.0
    t0, t1 = max(t0, min(first, second)), min(t1, max(first, second))
    if bore_x <= 0.0:
        return t0, t1, 1.0, 0.0
    u, v, du, dv = x / bore_x, y / bore_y, dx / bore_x, dy / bore_y
    first, second, meets = _roots(du * du + dv * dv, u * du + v * dv, u * u + v * v - 1.0)
    if not meets:
        return t0, t1, 1.0, 0.0
    return t0, t1, min(first, second), max(first, second)


@compiled()
def _union(start, stop, count):  # type: ignore[no-untyped-def]
    """Length of the union of the first `count` intervals, which are sorted on the way (there are few)."""
    for n in range(1, count):
        a, b = start[n], stop[n]
        m = n
        while m > 0 and start[m - 1] > a:
            start[m], stop[m] = start[m - 1], stop[m - 1]
            m -= 1
        start[m], stop[m] = a, b
    total = 0.0
    reached = 0.0
    for n in range(count):
        total += max(stop[n] - max(start[n], reached), 0.0)
        reached = max(reached, stop[n])
    return total


@compiled(parallel=True)
def chord_lengths(  # type: ignore[no-untyped-def]
    node_lower, node_upper, skip, node_part, kind, local_from_ct, sizes, source, target, chord
):
    """Fill `chord` (N,) with mm inside the union of all parts between `source` and `target` (N, 3), the CT's mm."""
    rays = source.shape[0]
    nodes = skip.shape[0]
    for task in prange((rays + _RAYS_A_TASK - 1) // _RAYS_A_TASK):
        # A cylinder with a bore is crossed twice.
        start = np.empty(2 * kind.shape[0])
        stop = np.empty(2 * kind.shape[0])
        for ray in range(task * _RAYS_A_TASK, min((task + 1) * _RAYS_A_TASK, rays)):
            px, py, pz = source[ray, 0], source[ray, 1], source[ray, 2]
            ex, ey, ez = target[ray, 0] - px, target[ray, 1] - py, target[ray, 2] - pz
            # No infinities: the compiler is told that there are none.
            ix = 1.0 / (ex if abs(ex) > 1e-9 else math.copysign(1e-9, ex))
            iy = 1.0 / (ey if abs(ey) > 1e-9 else math.copysign(1e-9, ey))
            iz = 1.0 / (ez if abs(ez) > 1e-9 else math.copysign(1e-9, ez))
            count = 0
            node = 0
            while node < nodes:
                xa, xb = (node_lower[node, 0] - px) * ix, (node_upper[node, 0] - px) * ix
                ya, yb = (node_lower[node, 1] - py) * iy, (node_upper[node, 1] - py) * iy
                za, zb = (node_lower[node, 2] - pz) * iz, (node_upper[node, 2] - pz) * iz
                near = max(max(min(xa, xb), min(ya, yb)), max(min(za, zb), 0.0))
                far = min(min(max(xa, xb), max(ya, yb)), min(max(za, zb), 1.0))
                if near > far:
                    node = skip[node]
                    continue
                part = node_part[node]
                node += 1
                if part < 0:
                    continue
                M = local_from_ct[part]
                x = M[0, 0] * px + M[0, 1] * py + M[0, 2] * pz + M[0, 3]
                y = M[1, 0] * px + M[1, 1] * py + M[1, 2] * pz + M[1, 3]
                z = M[2, 0] * px + M[2, 1] * py + M[2, 2] * pz + M[2, 3]
                dx = M[0, 0] * ex + M[0, 1] * ey + M[0, 2] * ez
                dy = M[1, 0] * ex + M[1, 1] * ey + M[1, 2] * ez
                dz = M[2, 0] * ex + M[2, 1] * ey + M[2, 2] * ez
                s0, s1, s2 = sizes[part, 0], sizes[part, 1], sizes[part, 2]
                b0, b1 = 1.0, 0.0
                if kind[part] == _ROUND_CONE:
                    t0, t1 = _round_cone(x, y, z, dx, dy, dz, s0, s1, s2)
                elif kind[part] == _BOX:
                    t0, t1 = _slab(x, dx, -1.0, 1.0, 0.0, 1.0)
                    t0, t1 = _slab(y, dy, -1.0, 1.0, t0, t1)
                    t0, t1 = _slab(z, dz, -1.0, 1.0, t0, t1)
                else:
                    t0, t1, b0, b1 = _cylinder(x, y, z, dx, dy, dz, s0, s1, s2)
                t0, t1 = max(t0, 0.0), min(t1, 1.0)
                if t1 <= t0:
                    continue
                if b1 <= b0:
                    start[count], stop[count] = t0, t1
                    count += 1
                    continue
                if b0 > t0:
                    start[count], stop[count] = t0, min(t1, b0)
                    count += 1
                if b1 < t1:
                    start[count], stop[count] = max(t0, b1), t1
                    count += 1
            chord[ray] = _union(start, stop, count) * math.sqrt(ex * ex + ey * ey + ez * ez)
