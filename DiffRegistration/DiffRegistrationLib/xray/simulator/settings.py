"""All that decides about a simulated X-ray besides the patient and the camera; what is None is off."""

from __future__ import annotations

from dataclasses import dataclass, field

from .collimator import Collimator
from .detector_blur import DetectorBlur
from .detector_response import Scintillator
from .display import Display
from .distortion import Distortion
from .focal_spot import FocalSpot
from .limits import check_within
from .motion import Motion
from .noise import QuantumNoise
from .objects.hardware import Electrodes, Screws
from .objects.object_in_beam import ObjectInBeam
from .objects.supports import HeadHolder, Table
from .objects.vessels import Vessels
from .objects.wires import GuideWire, Wires
from .scatter import Scatter
from .spectrum import SingleEnergy, Tube
from .veiling_glare import VeilingGlare
from .vignetting import Vignetting


@dataclass(frozen=True)
class XraySettings:
    """The beam, what is in it besides the patient, and the detector; each effect with its physical parameters.

    `rays_per_side`² rays make a pixel, which has an area and not only a centre. `body_below_mm` continues the patient
    below the CT by its last slice: a CT ends at the neck, a body does not. ValueError for values that cannot be.
    """

    tube: Tube | SingleEnergy = field(default_factory=Tube)
    scintillator: Scintillator = field(default_factory=Scintillator)
    rays_per_side: int = 2
    body_below_mm: float = 0.0
    vessels: Vessels | None = None
    guide_wire: GuideWire | None = None
    wires: Wires | None = None
    screws: Screws | None = None
    electrodes: Electrodes | None = None
    head_holder: HeadHolder | None = None
    table: Table | None = None
    motion: Motion | None = None
    collimator: Collimator | None = None
    focal_spot: FocalSpot | None = None
    scatter: Scatter | None = None
    noise: QuantumNoise | None = None
    blur: DetectorBlur | None = None
    glare: VeilingGlare | None = None
    distortion: Distortion | None = None
    vignetting: Vignetting | None = None
    display: Display = field(default_factory=Display)

    def __post_init__(self) -> None:
        check_within("rays_per_side", self.rays_per_side, 1, 8)
        check_within("body_below_mm", self.body_below_mm, 0, 1000, "mm")

    @property
    def moving_objects(self) -> dict[str, ObjectInBeam]:
        """What is fixed to the head, by name."""
        return self._given("vessels", "guide_wire", "wires", "screws", "electrodes")

    @property
    def standing_objects(self) -> dict[str, ObjectInBeam]:
        """What the head lies on, by name: it does not move with it."""
        return self._given("head_holder", "table")

    def _given(self, *names: str) -> dict[str, ObjectInBeam]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}
