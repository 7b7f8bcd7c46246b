"""The CPU kernel: one pass along each ray gives its line integral and the derivative by all six pose parameters.

With µ sampled at q₀ + t d, a left twist ξ = (ω, v) of the CT moves every sample by −(ω × q + v) as seen from it, hence

    ∂I/∂v = −g₀,  ∂I/∂ω = −(q₀ × g₀ + d × g₁),  g₀ = L ∫∇µ dt,  g₁ = L ∫ t ∇µ dt.

∇µ comes from the eight values that the trilinear sample has loaded anyway, so the derivative costs next to nothing and
its memory is that of six images.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from .compile_cache import compiled
from .volume import BRICK

_BRICK = BRICK
# A stretch of samples is judged by the brick of its middle and its neighbours, so it may reach this far (voxels).
_REACH = float(2 * (BRICK - 1))
_LOW = np.uint32(0xFFFF)
_HIGH = np.uint32(16)


@intrinsic
def _neighbours_along_x(typing_context, flat, index):  # type: ignore[no-untyped-def]
    """flat[index] in the low, flat[index + 1] in the high 16 bits, by one load: loads are what the loop waits for."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        offset = context.cast(builder, arguments[1], signature.args[1], types.intp)
        address = builder.bitcast(builder.gep(array.data, [offset]), ir.IntType(32).as_pointer())
        return builder.load(address, align=2)

    return types.uint32(flat, index), generate


@compiled()
def _entry(origin, direction, lower, upper, t0, t1):  # type: ignore[no-untyped-def]
    """Part of the ray inside one slab, cut from [t0, t1]."""
    if abs(direction) < 1e-12:
        return (t0, t1) if lower <= origin <= upper else (1.0, 0.0)
    ta = (lower - origin) / direction
    tb = (upper - origin) / direction
    return max(t0, min(ta, tb)), min(t1, max(ta, tb))


@compiled()
def _ray_in_volume(M, source, target, lower, upper):  # type: ignore[no-untyped-def]
    """Length (mm), start and way in voxels, and the part [t0, t1] that can see anything of one ray."""
    ex, ey, ez = target[0] - source[0], target[1] - source[1], target[2] - source[2]
    x0 = M[0, 0] * source[0] + M[0, 1] * source[1] + M[0, 2] * source[2] + M[0, 3]
    y0 = M[1, 0] * source[0] + M[1, 1] * source[1] + M[1, 2] * source[2] + M[1, 3]
    z0 = M[2, 0] * source[0] + M[2, 1] * source[1] + M[2, 2] * source[2] + M[2, 3]
    dx = M[0, 0] * ex + M[0, 1] * ey + M[0, 2] * ez
    dy = M[1, 0] * ex + M[1, 1] * ey + M[1, 2] * ez
    dz = M[2, 0] * ex + M[2, 1] * ey + M[2, 2] * ez
    t0, t1 = _entry(x0, dx, lower[0], upper[0], 0.0, 1.0)
    t0, t1 = _entry(y0, dy, lower[1], upper[1], t0, t1)
    t0, t1 = _entry(z0, dz, lower[2], upper[2], t0, t1)
    return math.sqrt(ex * ex + ey * ey + ez * ez), x0, y0, z0, dx, dy, dz, t0, t1


@compiled(parallel=True)
def integrate(  # type: ignore[no-untyped-def]
    volume,
    unit,
    occupied,
    lower,
    upper,
    voxel_from_world,
    centres,
    source,
    target,
    step_mm,
    samples,
    image,
    jacobian,
):
    """Fill `image` (P, N) and, unless it has no pixels, `jacobian` (P, N, 6).

    `volume` (k, j, i) is padded and counts in `unit` mm⁻¹; `voxel_from_world` (P, 3, 4); `centres` (P, 3) are the
    points that twists turn about, world mm; `source` and `target` (N, 3) world mm. Each ray takes `samples` midpoints
    inside the volume, or as many as keep them `step_mm` apart if `samples` is 0.
    """
    poses, rays = image.shape
    wants_jacobian = jacobian.shape[1] > 0
    real = image.dtype.type
    stride_y = volume.shape[2]
    stride_z = volume.shape[1] * volume.shape[2]
    flat = volume.reshape(volume.size)
    zero = real(0)
    for task in prange(poses * rays):
        pose = task // rays
        ray = task - pose * rays
        M = voxel_from_world[pose]
        length, x0, y0, z0, dx, dy, dz, t0, t1 = _ray_in_volume(M, source[ray], target[ray], lower, upper)
        if t1 <= t0:
            image[pose, ray] = zero
            if wants_jacobian:
                for a in range(6):
                    jacobian[pose, ray, a] = zero
            continue
        count = samples
        if count <= 0:
            count = math.ceil((t1 - t0) * length / step_mm)
        dt = (t1 - t0) / count
        first = t0 + 0.5 * dt
        bx, by, bz = real(x0 + dx * first), real(y0 + dy * first), real(z0 + dz * first)
        gx, gy, gz = real(dx * dt), real(dy * dt), real(dz * dt)
        stretch = int(_REACH / max(abs(dx * dt), abs(dy * dt), abs(dz * dt))) + 1

        total = zero
        ax, ay, az = zero, zero, zero
        cx, cy, cz = zero, zero, zero
        start = 0
        while start < count:
            # Skip air, then take all stretches up to the next air in one go: long loops vectorise, short ones do not.
            stop = start
            seen = False
            while stop < count:
                end = min(stop + stretch, count)
                middle = real(0.5 * (stop + end - 1))
                brick_i = int(bx + middle * gx) // _BRICK
                brick_j = int(by + middle * gy) // _BRICK
                brick_k = int(bz + middle * gz) // _BRICK
                if occupied[brick_k, brick_j, brick_i] == 0:
                    if seen:
                        break
                    start = end
                else:
                    seen = True
                stop = end
            if not seen:
                break
            for n in range(start, stop):
                s = real(n)
                x, y, z = bx + s * gx, by + s * gy, bz + s * gz
                i, j, k = np.int32(x), np.int32(y), np.int32(z)
                fx, fy, fz = x - real(i), y - real(j), z - real(k)
                o = np.int32(k * stride_z + j * stride_y + i)
                pair00 = _neighbours_along_x(flat, o)
                pair01 = _neighbours_along_x(flat, np.int32(o + stride_y))
                pair10 = _neighbours_along_x(flat, np.int32(o + stride_z))
                pair11 = _neighbours_along_x(flat, np.int32(o + stride_z + stride_y))
                v000, v001 = real(np.int32(pair00 & _LOW)), real(np.int32(pair00 >> _HIGH))
                v010, v011 = real(np.int32(pair01 & _LOW)), real(np.int32(pair01 >> _HIGH))
                v100, v101 = real(np.int32(pair10 & _LOW)), real(np.int32(pair10 >> _HIGH))
                v110, v111 = real(np.int32(pair11 & _LOW)), real(np.int32(pair11 >> _HIGH))
                x00, x01, x10, x11 = v001 - v000, v011 - v010, v101 - v100, v111 - v110
                c00, c01, c10, c11 = v000 + fx * x00, v010 + fx * x01, v100 + fx * x10, v110 + fx * x11
                y0_, y1_ = c01 - c00, c11 - c10
                low, high = c00 + fy * y0_, c10 + fy * y1_
                x0_, x1_ = x00 + fy * (x01 - x00), x10 + fy * (x11 - x10)
                slope_x = x0_ + fz * (x1_ - x0_)
                slope_y = y0_ + fz * (y1_ - y0_)
                slope_z = high - low
                total += low + fz * slope_z
                ax += slope_x
                ay += slope_y
                az += slope_z
                cx += s * slope_x
                cy += s * slope_y
                cz += s * slope_z
            start = stop

        weight = dt * length * unit
        image[pose, ray] = real(total * weight)
        if wants_jacobian:
            ux, uy, uz = ax * weight, ay * weight, az * weight
            wx = first * ux + dt * weight * cx
            wy = first * uy + dt * weight * cy
            wz = first * uz + dt * weight * cz
            g0x = M[0, 0] * ux + M[1, 0] * uy + M[2, 0] * uz
            g0y = M[0, 1] * ux + M[1, 1] * uy + M[2, 1] * uz
            g0z = M[0, 2] * ux + M[1, 2] * uy + M[2, 2] * uz
            g1x = M[0, 0] * wx + M[1, 0] * wy + M[2, 0] * wz
            g1y = M[0, 1] * wx + M[1, 1] * wy + M[2, 1] * wz
            g1z = M[0, 2] * wx + M[1, 2] * wy + M[2, 2] * wz
            qx, qy, qz = (
                source[ray, 0] - centres[pose, 0],
                source[ray, 1] - centres[pose, 1],
                source[ray, 2] - centres[pose, 2],
            )
            ex, ey, ez = (
                target[ray, 0] - source[ray, 0],
                target[ray, 1] - source[ray, 1],
                target[ray, 2] - source[ray, 2],
            )
            jacobian[pose, ray, 0] = real(-(qy * g0z - qz * g0y + ey * g1z - ez * g1y))
            jacobian[pose, ray, 1] = real(-(qz * g0x - qx * g0z + ez * g1x - ex * g1z))
            jacobian[pose, ray, 2] = real(-(qx * g0y - qy * g0x + ex * g1y - ey * g1x))
            jacobian[pose, ray, 3] = real(-g0x)
            jacobian[pose, ray, 4] = real(-g0y)
            jacobian[pose, ray, 5] = real(-g0z)


@compiled(parallel=True)
def integrate_structures(  # type: ignore[no-untyped-def]
    volume, unit, labels, lower, upper, voxel_from_world, source, target, step_mm, samples, image
):
    """Fill `image` (P, S, N): channel s takes the samples whose nearest voxel is labelled s, so channels add up."""
    poses, structures, rays = image.shape
    real = image.dtype.type
    for task in prange(poses * rays):
        pose = task // rays
        ray = task - pose * rays
        for channel in range(structures):
            image[pose, channel, ray] = real(0)
        length, x0, y0, z0, dx, dy, dz, t0, t1 = _ray_in_volume(
            voxel_from_world[pose], source[ray], target[ray], lower, upper
        )
        if t1 <= t0:
            continue
        count = samples
        if count <= 0:
            count = math.ceil((t1 - t0) * length / step_mm)
        dt = (t1 - t0) / count
        weight = real(dt * length * unit)
        for n in range(count):
            t = t0 + (n + 0.5) * dt
            x, y, z = x0 + t * dx, y0 + t * dy, z0 + t * dz
            i, j, k = int(x), int(y), int(z)
            fx, fy, fz = real(x - i), real(y - j), real(z - k)
            c00 = (1 - fx) * volume[k, j, i] + fx * volume[k, j, i + 1]
            c01 = (1 - fx) * volume[k, j + 1, i] + fx * volume[k, j + 1, i + 1]
            c10 = (1 - fx) * volume[k + 1, j, i] + fx * volume[k + 1, j, i + 1]
            c11 = (1 - fx) * volume[k + 1, j + 1, i] + fx * volume[k + 1, j + 1, i + 1]
            low, high = c00 + fy * (c01 - c00), c10 + fy * (c11 - c10)
            channel = labels[int(z + 0.5), int(y + 0.5), int(x + 0.5)]
            if 0 <= channel < structures:
                image[pose, channel, ray] += weight * (low + fz * (high - low))
