"""The project's sample data in Slicer's Sample Data module."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..xray.errors import UNUSABLE, as_input_error
from .packages import ensure_packages

CATEGORY = "Fluoro Registration"
_PAGE = "https://github.com/FluoroRegistration/SlicerFluoroRegistration"


def register_sample_data(icons: Path, requirements: Path | None = None) -> None:
    """Offer both data sets; nothing is computed or fetched before a user asks.

    The packages of `requirements` are seen to first: a user may come here before the module's window was ever opened.
    """
    import SampleData

    logic = SampleData.SampleDataLogic
    for name, load, picture, node_name in (
        (_("Computed head with two X-rays"), _load_computed_head, "SampleHead.png", _("Head CT")),
        (_("Plastic skull with its real X-ray (75 MB)"), _load_skull, "SampleSkull.png", _("Skull CT")),
    ):
        logic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            # Sample Data asks for these also where our own function loads; it fetches nothing from there.
            uris=_PAGE,
            fileNames=picture.removesuffix(".png"),
            nodeNames=node_name,
            customDownloader=partial(_with_packages, load, requirements),
            thumbnailFileName=str(icons / picture),
        )


def _with_packages(load: Callable[[], list[Any]], requirements: Path | None, _source: Any = None) -> list[Any]:
    import slicer

    try:
        if requirements is not None:
            ensure_packages(requirements, network=False, interactive=True)
        with slicer.util.WaitCursor():
            return load()
    except UNUSABLE as error:
        # Sample Data shows nothing of an error.
        slicer.util.errorDisplay(str(as_input_error(error)))
        return []


def _load_computed_head() -> list[Any]:
    """A head CT, or its stand-in, and two simulated X-rays with cameras, as views."""
    import slicer

    from ..demonstration import simulated_xrays
    from ..mrml.given_geometry import use_camera_file
    from ..mrml.views import add_view
    from ..mrml.xray_sequence import add_xray_file

    made = simulated_xrays(Path(slicer.util.tempDirectory(key="FluoroRegistration")))
    nodes = [slicer.util.loadVolume(str(made.ct))]
    nodes[0].SetName(_("Head CT"))
    for xray, name in zip(made.xrays, (_("X-ray AP"), _("X-ray lateral")), strict=True):
        node = add_xray_file(xray.path, name=name)
        if xray.camera is not None:
            use_camera_file(node, xray.camera)
        add_view(node)
        nodes.append(node)
    return nodes


def _load_skull() -> list[Any]:
    """The CT of a plastic skull and its lateral localizer; their frame of reference is the scanner's."""
    import slicer

    from ..mrml.views import add_view
    from ..mrml.xray_sequence import add_xray_file
    from ..xray.files.ct_dicom import read_dicom_folder
    from ..xray.files.lps import ras_from_index
    from ..xray.files.sample_data import sample

    volume = read_dicom_folder(sample("skull-phantom-ct"), None)
    ct = slicer.util.addVolumeFromArray(
        volume.hounsfield, slicer.util.vtkMatrixFromArray(ras_from_index(volume.lps_from_voxel)), _("Skull CT")
    )
    xray = add_xray_file(sample("skull-phantom-scout"), name=_("Skull localizer"))
    add_view(xray)
    return [ct, xray]
