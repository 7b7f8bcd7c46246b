"""The loop that resamples a volume through a coarse map of where its voxels come from, and the jaw's map after it."""

from __future__ import annotations

from DiffRegistrationLib.xray.projector.compile_cache import compiled
from numba import prange

from .jaw import turned_back


@compiled()
def _value(volume, x, y, z):  # type: ignore[no-untyped-def]
    """Linear between voxels; `volume` has a border of zeros, which goes on without end."""
    x = min(max(x, 0.0), volume.shape[2] - 1.001)
    y = min(max(y, 0.0), volume.shape[1] - 1.001)
    z = min(max(z, 0.0), volume.shape[0] - 1.001)
    i, j, k = int(x), int(y), int(z)
    x -= i
    y -= j
    z -= k
    near = (1 - y) * ((1 - x) * volume[k, j, i] + x * volume[k, j, i + 1])
    near += y * ((1 - x) * volume[k, j + 1, i] + x * volume[k, j + 1, i + 1])
    far = (1 - y) * ((1 - x) * volume[k + 1, j, i] + x * volume[k + 1, j, i + 1])
    far += y * ((1 - x) * volume[k + 1, j + 1, i] + x * volume[k + 1, j + 1, i + 1])
    return (1 - z) * near + z * far


@compiled(parallel=True)
def resample(  # type: ignore[no-untyped-def]
    volume, origin, spacing, jaw, voxel_from_head, bone_above, bone_factor, image
):
    """Fill `image` (k, j, i), `spacing` of whose voxels lie from node to node of `origin` (k, j, i, 3).

    `origin` holds points of the head's frame (mm), taken linearly between its nodes; `jaw` turns them to where its
    mouth is shut, and `voxel_from_head` (3, 4) leads to indices (i, j, k) of `volume` (k, j, i), which has a border of
    zeros. What is above `bone_above` is raised by `bone_factor` times its excess.
    """
    depth, rows, columns = image.shape
    nodes = origin.shape[2] - 1
    M = voxel_from_head
    for k in prange(depth):
        node_k = min(k // spacing, origin.shape[0] - 2)
        part_k = (k - node_k * spacing) / spacing
        for j in range(rows):
            node_j = min(j // spacing, origin.shape[1] - 2)
            part_j = (j - node_j * spacing) / spacing
            first = origin[node_k, node_j], origin[node_k, node_j + 1]
            second = origin[node_k + 1, node_j], origin[node_k + 1, node_j + 1]
            a, b = (1 - part_k) * (1 - part_j), (1 - part_k) * part_j
            c, d = part_k * (1 - part_j), part_k * part_j
            for node in range(nodes):
                n = node + 1
                x = a * first[0][node, 0] + b * first[1][node, 0] + c * second[0][node, 0] + d * second[1][node, 0]
                y = a * first[0][node, 1] + b * first[1][node, 1] + c * second[0][node, 1] + d * second[1][node, 1]
                z = a * first[0][node, 2] + b * first[1][node, 2] + c * second[0][node, 2] + d * second[1][node, 2]
                dx = a * first[0][n, 0] + b * first[1][n, 0] + c * second[0][n, 0] + d * second[1][n, 0] - x
                dy = a * first[0][n, 1] + b * first[1][n, 1] + c * second[0][n, 1] + d * second[1][n, 1] - y
                dz = a * first[0][n, 2] + b * first[1][n, 2] + c * second[0][n, 2] + d * second[1][n, 2] - z
                start = node * spacing
                stop = columns if node == nodes - 1 else start + spacing
                for i in range(start, stop):
                    part = (i - start) / spacing
                    px, py, pz = x + part * dx, y + part * dy, z + part * dz
                    py, pz = turned_back(px, py, pz, jaw)
                    value = _value(
                        volume,
                        M[0, 0] * px + M[0, 1] * py + M[0, 2] * pz + M[0, 3],
                        M[1, 0] * px + M[1, 1] * py + M[1, 2] * pz + M[1, 3],
                        M[2, 0] * px + M[2, 1] * py + M[2, 2] * pz + M[2, 3],
                    )
                    image[k, j, i] = value + bone_factor * max(value - bone_above, 0.0)
