"""The GPU kernel: the CPU kernel's sums, a warp's rays a program, in one pass for the image and its pose derivative.

Positions are reckoned from the CT's centre c under each pose, q = p − c, and along a ray from its point next to c, so
that single precision keeps them to 10⁻⁵ of a voxel: a sample's voxel is A q + a, with a the centre's own. With
G₀ = Σ∇µ and G₁ = Σ n ∇µ (world axes) over samples n a part dt of the ray apart, the first at q₁,

    ∂I/∂v = −L dt G₀,  ∂I/∂ω = −L dt (q₁ × G₀ + dt d × G₁).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _turn(m, x, y, z):  # type: ignore[no-untyped-def]
    """The 3×3 matrix `m` (nine numbers, row by row) times a vector."""
    return m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z


@triton.jit
def _single(v):  # type: ignore[no-untyped-def]
    return v[0].to(tl.float32), v[1].to(tl.float32), v[2].to(tl.float32)


@triton.jit
def _cross(ax, ay, az, bx, by, bz):  # type: ignore[no-untyped-def]
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@triton.jit
def _slab(origin, direction, lower, upper, enter, leave):  # type: ignore[no-untyped-def]
    """The part of each ray inside one slab, cut from [enter, leave]."""
    along = tl.abs(direction) < 1e-12
    safe = tl.where(along, 1.0, direction)
    one = (lower - origin) / safe
    other = (upper - origin) / safe
    inside = (origin >= lower) & (origin <= upper)
    first = tl.where(along, tl.where(inside, 0.0, 1.0), tl.minimum(one, other))
    last = tl.where(along, tl.where(inside, 1.0, 0.0), tl.maximum(one, other))
    return tl.maximum(enter, first), tl.minimum(leave, last)


@triton.jit
def _pair(volume, place):  # type: ignore[no-untyped-def]
    """Counts of a voxel and of what it lacks to the next one along x."""
    # With the exponent of 2²³ above them these bits are the float 2²³ + count: many GPUs convert at a quarter of the
    # speed at which they add.
    here = (tl.load(volume + place).to(tl.int32) | 0x4B000000).to(tl.float32, bitcast=True)
    there = (tl.load(volume + place + 1).to(tl.int32) | 0x4B000000).to(tl.float32, bitcast=True)
    return here - 8388608.0, there - here


@triton.jit
def _sample(volume, x, y, z, stride_y, stride_z, live, air):  # type: ignore[no-untyped-def]
    """Counts at a place between voxels, and their slopes along x, y and z; 0, as at voxel `air`, where not `live`."""
    i = x.to(tl.int32)
    j = y.to(tl.int32)
    k = z.to(tl.int32)
    fx = x - i.to(tl.float32)
    fy = y - j.to(tl.float32)
    fz = z - k.to(tl.float32)
    # One choice of a place instead of eight masked loads.
    place = tl.where(live, k * stride_z + j * stride_y + i, air)
    v00, x00 = _pair(volume, place)
    v01, x01 = _pair(volume, place + stride_y)
    v10, x10 = _pair(volume, place + stride_z)
    v11, x11 = _pair(volume, place + stride_z + stride_y)
    c00 = v00 + fx * x00
    c10 = v10 + fx * x10
    y_low = v01 + fx * x01 - c00
    y_high = v11 + fx * x11 - c10
    x_low = x00 + fy * (x01 - x00)
    x_high = x10 + fy * (x11 - x10)
    low = c00 + fy * y_low
    slope_z = c10 + fy * y_high - low
    return low + fz * slope_z, x_low + fz * (x_high - x_low), y_low + fz * (y_high - y_low), slope_z


@triton.jit
def _add_to_structure(channels, structure, value, chosen, STRUCTURES: tl.constexpr, ray_count):  # type: ignore[no-untyped-def]
    """Every ray is cast by one lane alone, so that nothing else adds to its pixel."""
    chosen = chosen & (structure >= 0) & (structure < STRUCTURES)
    place = channels + structure * ray_count
    tl.store(place, tl.load(place, mask=chosen, other=0.0) + value, mask=chosen)


@triton.jit(do_not_specialize=["samples", "pose_count", "parts"])
def cast(  # type: ignore[no-untyped-def]
    volume,
    labels,
    occupied,
    geometry,
    ends,
    order,
    poses,
    image,
    derivative,
    ray_count,
    pose_count,
    parts,
    air,
    stride_y,
    stride_z,
    brick_stride_y,
    brick_stride_z,
    unit,
    step_mm,
    samples,
    JACOBIAN: tl.constexpr,
    STRUCTURES: tl.constexpr,
    REACH: tl.constexpr,
    EDGE: tl.constexpr,
    RAYS: tl.constexpr,
):
    """Cast one tile of rays under one pose, or one part of the way along them."""
    tile = tl.program_id(0) // parts
    part = tl.program_id(0) % parts
    tiles = tl.cdiv(ray_count, RAYS)
    pose = tile // tiles
    slot = (tile % tiles) * RAYS + tl.arange(0, RAYS)
    exists = slot < ray_count

    at = poses + pose * 16
    turn = (
        tl.load(at), tl.load(at + 1), tl.load(at + 2),
        tl.load(at + 4), tl.load(at + 5), tl.load(at + 6),
        tl.load(at + 8), tl.load(at + 9), tl.load(at + 10),
    )  # fmt: skip
    g = geometry
    # The rows of A = voxel_from_ct · ct_from_world.
    ax, ay, az = _single(_turn(turn, tl.load(g), tl.load(g + 1), tl.load(g + 2)))
    bx, by, bz = _single(_turn(turn, tl.load(g + 3), tl.load(g + 4), tl.load(g + 5)))
    cx, cy, cz = _single(_turn(turn, tl.load(g + 6), tl.load(g + 7), tl.load(g + 8)))
    voxel_from_world = (ax, ay, az, bx, by, bz, cx, cy, cz)
    world_from_voxel = (ax, bx, cx, ay, by, cy, az, bz, cz)

    # In double precision, but no more than this: the way from the CT's centre to the point of the ray next to it. From
    # there on everything is near, and single precision is fine enough.
    px, py, pz = _turn(turn, tl.load(g + 9), tl.load(g + 10), tl.load(g + 11))
    sx = tl.load(ends + slot, mask=exists, other=0.0)
    sy = tl.load(ends + ray_count + slot, mask=exists, other=0.0)
    sz = tl.load(ends + 2 * ray_count + slot, mask=exists, other=0.0)
    wx = tl.load(ends + 3 * ray_count + slot, mask=exists, other=0.0) - sx
    wy = tl.load(ends + 4 * ray_count + slot, mask=exists, other=0.0) - sy
    wz = tl.load(ends + 5 * ray_count + slot, mask=exists, other=0.0) - sz
    sx -= px + tl.load(at + 3)
    sy -= py + tl.load(at + 7)
    sz -= pz + tl.load(at + 11)
    ex, ey, ez = _single((wx, wy, wz))
    qx, qy, qz = _single((sx, sy, sz))
    square = ex * ex + ey * ey + ez * ez
    length = tl.sqrt(square)
    next_to = -(qx * ex + qy * ey + qz * ez) / tl.maximum(square, 1e-30)
    qx, qy, qz = _single((sx + next_to * wx, sy + next_to * wy, sz + next_to * wz))

    ox, oy, oz = _turn(voxel_from_world, qx, qy, qz)
    mx, my, mz = _single((tl.load(g + 12), tl.load(g + 13), tl.load(g + 14)))
    ox += mx
    oy += my
    oz += mz
    dx, dy, dz = _turn(voxel_from_world, ex, ey, ez)
    lower_x, lower_y, lower_z = _single((tl.load(g + 15), tl.load(g + 16), tl.load(g + 17)))
    upper_x, upper_y, upper_z = _single((tl.load(g + 18), tl.load(g + 19), tl.load(g + 20)))
    enter, leave = _slab(ox, dx, lower_x, upper_x, -next_to, 1.0 - next_to)
    enter, leave = _slab(oy, dy, lower_y, upper_y, enter, leave)
    enter, leave = _slab(oz, dz, lower_z, upper_z, enter, leave)

    hits = exists & (leave > enter)
    wanted = tl.where(samples > 0, samples, tl.ceil((leave - enter) * length / step_mm).to(tl.int32))
    count = tl.where(hits, tl.maximum(wanted, 1), 0)
    dt = tl.where(hits, (leave - enter) / tl.maximum(count, 1).to(tl.float32), 0.0)
    first = tl.where(hits, enter + 0.5 * dt, 0.0)
    x0 = ox + first * dx
    y0 = oy + first * dy
    z0 = oz + first * dz
    gx = dx * dt
    gy = dy * dt
    gz = dz * dt
    fastest = tl.max(tl.maximum(tl.maximum(tl.abs(gx), tl.abs(gy)), tl.abs(gz)), axis=0)
    stretch = (REACH / tl.maximum(fastest, 1e-6)).to(tl.int32) + 1

    weight = dt * length * unit
    pixel = tl.load(order + slot, mask=exists, other=0)
    # Batches may hold more pixels than 32 bits can number.
    page = part.to(tl.int64) * pose_count + pose
    total = tl.zeros([RAYS], dtype=tl.float32)
    zx = tl.zeros([RAYS], dtype=tl.float32)
    zy = tl.zeros([RAYS], dtype=tl.float32)
    zz = tl.zeros([RAYS], dtype=tl.float32)
    nx = tl.zeros([RAYS], dtype=tl.float32)
    ny = tl.zeros([RAYS], dtype=tl.float32)
    nz = tl.zeros([RAYS], dtype=tl.float32)
    if STRUCTURES > 0:
        channels = image + page * STRUCTURES * ray_count + pixel
        structure = tl.zeros([RAYS], dtype=tl.int32)

    most = tl.max(count, axis=0)
    share = tl.cdiv(most, parts)
    final = tl.minimum((part + 1) * share, most)
    for start in range(part * share, final, stretch):
        end = tl.minimum(start + stretch, final)
        middle = 0.5 * (start + tl.minimum(end, count) - 1).to(tl.float32)
        brick_i = (x0 + middle * gx).to(tl.int32) // EDGE
        brick_j = (y0 + middle * gy).to(tl.int32) // EDGE
        brick_k = (z0 + middle * gz).to(tl.int32) // EDGE
        brick = brick_k * brick_stride_z + brick_j * brick_stride_y + brick_i
        seen = tl.load(occupied + brick, mask=start < count, other=0) != 0
        # Nothing but air for all of the tile: no sample.
        stop = tl.where(tl.max(seen.to(tl.int32), axis=0) > 0, end, start)
        for n in range(start, stop):
            live = seen & (n < count)
            s = n * 1.0
            x = x0 + s * gx
            y = y0 + s * gy
            z = z0 + s * gz
            value, slope_x, slope_y, slope_z = _sample(volume, x, y, z, stride_y, stride_z, live, air)
            if STRUCTURES > 0:
                i = (x + 0.5).to(tl.int32)
                j = (y + 0.5).to(tl.int32)
                k = (z + 0.5).to(tl.int32)
                label = tl.load(labels + k * stride_z + j * stride_y + i, mask=live, other=0)
                # Rays cross few borders: a structure's sum is kept until the next one begins.
                changed = live & (label != structure)
                _add_to_structure(channels, structure, total * weight, changed, STRUCTURES, ray_count)
                total = tl.where(changed, 0.0, total)
                structure = tl.where(changed, label, structure)
            total += value
            if JACOBIAN:
                zx += slope_x
                zy += slope_y
                zz += slope_z
                nx += s * slope_x
                ny += s * slope_y
                nz += s * slope_z

    if STRUCTURES > 0:
        _add_to_structure(channels, structure, total * weight, exists, STRUCTURES, ray_count)
    else:
        tl.store(image + page * ray_count + pixel, total * weight, mask=exists)
    if JACOBIAN:
        zx, zy, zz = _turn(world_from_voxel, zx * weight, zy * weight, zz * weight)
        moment = weight * dt
        nx, ny, nz = _turn(world_from_voxel, nx * moment, ny * moment, nz * moment)
        tx, ty, tz = _cross(qx + first * ex, qy + first * ey, qz + first * ez, zx, zy, zz)
        ux, uy, uz = _cross(ex, ey, ez, nx, ny, nz)
        row = derivative + page * 6 * ray_count + pixel
        tl.store(row, -(tx + ux), mask=exists)
        tl.store(row + ray_count, -(ty + uy), mask=exists)
        tl.store(row + 2 * ray_count, -(tz + uz), mask=exists)
        tl.store(row + 3 * ray_count, -zx, mask=exists)
        tl.store(row + 4 * ray_count, -zy, mask=exists)
        tl.store(row + 5 * ray_count, -zz, mask=exists)
