"""Small CTs whose value at every place is known: HU is a linear function of LPS, so linear interpolation is exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

# Long enough not to turn up by chance among millions of weights.
PATIENT = "Doenhoff^Unmistakable"
_ROOT = "1.2.826.0.1.3680043.10.999"


def ramp(lps: np.ndarray) -> np.ndarray:
    """HU at LPS points (…, 3): another slope along each axis, so no flip goes unseen; never lighter than air."""
    return np.round(-540 + lps @ [5.0, 11.0, 7.0])


def voxel_places(matrix: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """Places (k, j, i, 3) of the voxels of a grid of `size` (i, j, k)."""
    i, j, k = size
    index = np.stack(np.meshgrid(np.arange(i), np.arange(j), np.arange(k), indexing="ij"), axis=-1).transpose(
        2, 1, 0, 3
    )
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def write_series(
    folder: Path,
    positions: np.ndarray,
    row_axis: tuple[float, ...] = (1, 0, 0),
    column_axis: tuple[float, ...] = (0, 1, 0),
    pixel_size: tuple[float, float] = (2.0, 3.0),
    size: tuple[int, int] = (20, 16),
    number: int = 5,
    name: str = "slice",
    change: Callable[[FileDataset, int], None] = lambda dataset, k: None,
) -> list[Path]:
    """A CT series of the ramp; `pixel_size` is along i and j, `size` is (columns, rows), `change` edits each slice."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, position in enumerate(np.asarray(positions, dtype=float)):
        matrix = np.eye(4)
        matrix[:3, 0] = np.multiply(row_axis, pixel_size[0])
        matrix[:3, 1] = np.multiply(column_axis, pixel_size[1])
        matrix[:3, 3] = position
        hounsfield = ramp(voxel_places(matrix, (*size, 1)))[0]
        path = folder / f"{name}{k:03d}.dcm"
        dataset = _slice(path, hounsfield, k, number)
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in position]
        dataset.ImageOrientationPatient = [f"{v:.8f}" for v in (*row_axis, *column_axis)]
        dataset.PixelSpacing = [str(pixel_size[1]), str(pixel_size[0])]
        change(dataset, k)
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _slice(path: Path, hounsfield: np.ndarray, k: int, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{_ROOT}.{number}.{k + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = f"{_ROOT}.{number}"
    dataset.FrameOfReferenceUID = f"{_ROOT}.77"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PATIENT, "ID-4711", "19580401"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.ConvolutionKernel = number, "H31s"
    dataset.Rows, dataset.Columns = hounsfield.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-2048"
    dataset.PixelData = (hounsfield + 2048).astype("<u2").tobytes()
    return dataset


def cut(path: Path, share: float) -> None:
    """Cut a file short to `share` of its length."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
