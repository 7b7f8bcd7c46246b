"""Cases of real X-rays: one image, or one pair of them, registered from many starts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ..registration.registration import register
from ..registration.starts import Start, start_from_pose
from ..xray.files.ct_files import read_ct
from ..xray.files.sample_data import sample
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import rigid
from ..xray.projector import Projector
from .case import Case
from .wrist import KEY_FRAME, masked_bone, rough_pose, wrist_view


def turned_and_shifted(
    pose: Float64[np.ndarray, "4 4"],
    centre: Float64[np.ndarray, "3"],
    random: np.random.Generator,
    most_deg: float,
    most_mm: float,
) -> Float64[np.ndarray, "4 4"]:
    """`pose` turned about `centre` (world mm) by up to `most_deg`, shifted by up to `most_mm`, in any direction."""
    axis, way = (direction / np.linalg.norm(direction) for direction in random.normal(size=(2, 3)))
    turn = axis * np.radians(random.uniform(0, most_deg))
    return rigid.move_about(centre, [*turn, *(way * random.uniform(0, most_mm))], pose)


class ScoutBench:
    """The lateral localizer of a plastic skull; the truth is the scanner's own pose, good to 0.3° and 0.6 mm.

    Depth, which a slit hardly shows, is not known by it. InputError, which says how to get it, without the data.
    """

    def __init__(self, seed: int) -> None:
        ct = read_ct(sample("skull-phantom-ct"))
        self.projector = Projector(ct)
        self.targets = ct.corners(0.5)
        self._radiograph = XrayFile(sample("skull-phantom-scout")).read()
        self._seed = seed

    def case(self, number: int) -> Case:
        """The scout with its start `number`, up to 15° and 30 mm off."""
        random = np.random.default_rng([self._seed, number])
        start = turned_and_shifted(np.eye(4), self.projector.ct.centre, random, 15.0, 30.0)
        return Case(number, (self._radiograph,), np.eye(4), start)

    def start_from(self, pose: Float64[np.ndarray, "4 4"]) -> Start:
        """A pose, right to 15° and some centimetres."""
        return start_from_pose(pose)


class WristBench:
    """The radius in a pair of real fluoroscopy frames. No truth is known: figures are agreement, not accuracy.

    The reference is the pose that is found from the published rough one. InputError, which says how to get it,
    without the data.
    """

    def __init__(self, seed: int) -> None:
        ct = masked_bone(sample("wrist-radius"))
        self.projector = Projector(ct)
        self.targets = ct.corners(0.5)
        self._radiographs = tuple(wrist_view(KEY_FRAME, number) for number in (1, 2))
        self._seed = seed
        self._reference = register(self.projector, self._radiographs, self.start_from(rough_pose())).pose

    def case(self, number: int) -> Case:
        """The pair with its start `number`, up to 6° and 4 mm off."""
        random = np.random.default_rng([self._seed, number])
        centre = rigid.transform_points(self._reference, [self.projector.ct.centre])[0]
        start = turned_and_shifted(self._reference, centre, random, 6.0, 4.0)
        return Case(number, self._radiographs, self._reference, start)

    def start_from(self, pose: Float64[np.ndarray, "4 4"]) -> Start:
        """A pose, right to some degrees and millimetres."""
        return start_from_pose(pose)
