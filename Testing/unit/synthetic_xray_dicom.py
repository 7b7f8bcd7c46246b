"""X-ray DICOM files made to order: what the reader must understand, with nothing of a patient in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CLASSES = {
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
}
GEOMETRY = {
    "DistanceSourceToDetector": 1200,
    "DistanceSourceToPatient": 800,
    "ImagerPixelSpacing": [0.4, 0.4],
    "PositionerPrimaryAngle": 0,
    "PositionerSecondaryAngle": 0,
}


def xray_dataset(pixels: np.ndarray, modality: str = "XA", bits: int = 12, **tags: Any) -> FileDataset:
    """A dataset of grey `pixels` (rows, columns) or (frames, rows, columns) with `tags`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(CLASSES.get(modality, CLASSES["XA"]))
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = modality
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = np.rint(pixels).astype("<u2").tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def write_xray(folder: Path, pixels: np.ndarray, modality: str = "XA", bits: int = 12, **tags: Any) -> Path:
    """The path of a file of `xray_dataset`."""
    path = folder / "xray.dcm"
    xray_dataset(pixels, modality, bits, **tags).save_as(path)
    return path


def item(**tags: Any) -> Dataset:
    """One item of a sequence."""
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def shadow(size: tuple[int, int], *spots: tuple[float, float, float], light: float = 3000.0) -> np.ndarray:
    """Intensity of an open field with spots (u, v, line integral) of 2 px, bright = more X-rays, uneven all over."""
    v, u = np.mgrid[: size[0], : size[1]]
    integral = 0.2 + 0.3 * u / size[1] + 0.1 * v / size[0]
    for spot_u, spot_v, depth in spots:
        integral = integral + depth * np.exp(-((u - spot_u) ** 2 + (v - spot_v) ** 2) / 8)
    return light * np.exp(-integral)


def darkest_spot(attenuation: np.ndarray) -> np.ndarray:
    """(u, v) of the centre of mass around the highest attenuation, to a fraction of a pixel."""
    v0, u0 = np.unravel_index(np.argmax(attenuation), attenuation.shape)
    v, u = np.mgrid[v0 - 6 : v0 + 7, u0 - 6 : u0 + 7]
    weight = attenuation[v, u] - np.median(attenuation[v, u])
    weight = np.where(weight > 0.15 * weight.max(), weight, 0)
    return np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum()
