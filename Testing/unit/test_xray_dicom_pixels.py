"""Pixel values to line integrals: however a system stores one image, bone comes out high and the values the same."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.files.xray_files import read_xray
from pydicom.uid import JPEG2000Lossless, RLELossless
from scipy import ndimage
from synthetic_xray_dicom import GEOMETRY, item, shadow, write_xray, xray_dataset

SIZE = (96, 128)
INTENSITY = np.rint(shadow(SIZE, (40, 60, 1.0)))
ATTENUATION = -np.log(INTENSITY)
# Logarithmic in 12 bits, high = bone, far from both ends of the range.
LOGARITHMIC = np.rint(500 + 1000 * (ATTENUATION - ATTENUATION.min()))
FORWARD = {**GEOMETRY, "PatientOrientation": ["R", "F"]}


def correlation(path) -> float:
    """Of what is read with the true attenuation; a linear relation, whatever its scale, gives 1."""
    radiograph = read_xray(path)
    used = radiograph.mask
    assert used.mean() > 0.9
    return float(np.corrcoef(radiograph.attenuation[used], ATTENUATION[used])[0, 1])


TABLE = item(LUTDescriptor=[4096, 0, 16], LUTData=np.arange(4095, -1, -1, dtype="<u2").tobytes(), ModalityLUTType="US")


@pytest.mark.parametrize(
    ("stored", "modality", "tags"),
    [
        (INTENSITY, "XA", {}),
        (INTENSITY, "XA", {"PixelIntensityRelationship": "LIN"}),
        (INTENSITY, "RF", {}),
        (4095 - INTENSITY, "XA", {"PhotometricInterpretation": "MONOCHROME1"}),
        (4095 - INTENSITY, "XA", {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": -1}),
        (4095 - INTENSITY, "XA", {"RescaleSlope": -1, "RescaleIntercept": 4095}),
        (4095 - INTENSITY, "XA", {"ModalityLUTSequence": [TABLE], "PixelIntensityRelationship": "LOG"}),
        (4000 - LOGARITHMIC, "XA", {"PixelIntensityRelationship": "LOG"}),
        (4000 - LOGARITHMIC, "XA", {"PixelIntensityRelationship": "DISP"}),
        (LOGARITHMIC, "DX", {"PresentationIntentType": "FOR PRESENTATION"}),
        (LOGARITHMIC, "CR", {}),
        (4000 - LOGARITHMIC, "CR", {"PhotometricInterpretation": "MONOCHROME1"}),
        (
            4000 - LOGARITHMIC,
            "DX",
            {
                "PresentationIntentType": "FOR PRESENTATION",
                "PhotometricInterpretation": "MONOCHROME1",
                "PresentationLUTShape": "INVERSE",
            },
        ),
        (LOGARITHMIC, "DX", {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}),
        (
            4000 - LOGARITHMIC,
            "DX",
            {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1},
        ),
        (INTENSITY, "DX", {"PresentationIntentType": "FOR PROCESSING"}),
    ],
)
def test_bone_is_high_and_values_are_linear_in_attenuation(tmp_path, stored, modality, tags):
    path = write_xray(tmp_path, stored, modality, **FORWARD, **tags)
    assert correlation(path) > 0.9999


def test_polarity_given_by_the_user_overrides_the_tags(tmp_path):
    path = write_xray(tmp_path, LOGARITHMIC, "DX", **FORWARD)
    np.testing.assert_allclose(
        read_xray(path, bone_is_bright=False).attenuation, 4095 - LOGARITHMIC.astype(np.float32), atol=1e-3
    )


def test_polarity_and_logarithm_say_where_they_come_from(tmp_path):
    guessed = read_xray(write_xray(tmp_path, LOGARITHMIC, "DX", **FORWARD)).provenance
    told = read_xray(
        write_xray(
            tmp_path, LOGARITHMIC, "DX", **FORWARD,
            PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=-1,
        )
    ).provenance  # fmt: skip
    for quantity in ("polarity", "pixel intensity relationship"):
        assert next(line for line in guessed if line.quantity == quantity).assumed
        assert not next(line for line in told if line.quantity == quantity).assumed


def test_windows_and_tables_for_the_eye_change_no_value(tmp_path):
    plain = read_xray(write_xray(tmp_path, INTENSITY, **FORWARD)).attenuation
    table = item(LUTDescriptor=[4096, 0, 16], LUTData=np.zeros(4096, dtype="<u2").tobytes())
    shown = read_xray(
        write_xray(tmp_path, INTENSITY, **FORWARD, WindowCenter=100, WindowWidth=20, VOILUTSequence=[table])
    )
    np.testing.assert_array_equal(shown.attenuation, plain)


def test_open_beam_of_the_user_is_the_zero_of_attenuation(tmp_path):
    path = write_xray(tmp_path, INTENSITY, **FORWARD)
    np.testing.assert_allclose(
        read_xray(path, unattenuated=3000).attenuation, -np.log(INTENSITY / 3000), rtol=1e-5, atol=1e-6
    )


def test_padding_and_shutters_of_the_tags_are_masked(tmp_path):
    stored = INTENSITY.copy()
    stored[:10] = 7
    path = write_xray(
        tmp_path, stored, **FORWARD, PixelPaddingValue=7, ShutterShape=["RECTANGULAR", "POLYGONAL"],
        ShutterLeftVerticalEdge=5, ShutterRightVerticalEdge=121, ShutterUpperHorizontalEdge=0,
        ShutterLowerHorizontalEdge=97, VerticesOfThePolygonalShutter=[1, 1, 1, 128, 60, 128, 96, 92, 96, 1],
    )  # fmt: skip
    mask = read_xray(path).mask
    # The search for the collimator finds the same edges and takes a margin off them.
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    # Corner cut off: the line from (row 60, column 128) to (row 96, column 92), both from 1.
    expected = (v >= 10) & (u >= 5) & (u < 120) & (u + v <= 186)
    assert not (mask & ~expected).any()
    assert mask[ndimage.binary_erosion(expected, iterations=4)].all()


def test_round_collimator_of_the_tags_is_masked(tmp_path):
    path = write_xray(
        tmp_path, INTENSITY, **FORWARD,
        CollimatorShape="CIRCULAR", CenterOfCircularCollimator=[49, 65], RadiusOfCircularCollimator=40,
    )  # fmt: skip
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    mask, squared = read_xray(path).mask, (v - 48) ** 2 + (u - 64) ** 2
    assert not mask[squared >= 40**2].any() and mask[squared < 37**2].all()


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_lossless_compression_changes_no_value(tmp_path, syntax):
    plain = read_xray(write_xray(tmp_path, INTENSITY, **FORWARD)).attenuation
    dataset = xray_dataset(INTENSITY, **FORWARD)
    dataset.compress(syntax)
    dataset.save_as(tmp_path / "compressed.dcm")
    np.testing.assert_array_equal(read_xray(tmp_path / "compressed.dcm").attenuation, plain)
