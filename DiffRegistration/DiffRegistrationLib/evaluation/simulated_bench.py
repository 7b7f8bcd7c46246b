"""Cases of simulated X-rays: drawn by suite, subject and number alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ..registration.starts import Start, start_from_pose
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from ..xray.simulator import SimulatedXray, Simulator
from ..xray.simulator.ranges import EVALUATION, drawn_settings
from .case import Case
from .disturbances import DISTURBANCES, disturbed
from .subjects import Subject
from .views import FIELD_MM, Draw, start_near


class SimulatedBench:
    """X-rays of `subject` from the evaluation ranges, on views that `draw` places.

    Geometry, settings and start of a case do not depend on the disturbance: one table's rows show the same cases.
    """

    def __init__(self, subject: Subject, draw: Draw, seed: int, disturbance: str) -> None:
        self.projector = Projector(subject.registered)
        self.targets = subject.target_points
        self._subject, self._draw, self._seed, self._disturbance = subject, draw, seed, disturbance

    def case(self, number: int) -> Case:
        """Simulate case `number`."""
        # The truth is that of the CT the X-rays come from; both CTs share one frame.
        views = self._draw(self._subject.full, np.random.default_rng([self._seed, number]))
        start = start_near(views, self._subject.full.centre, np.random.default_rng([self._seed, number, 1]))
        seed = 1000 * self._seed + number
        simulator = Simulator(
            self._subject.full, disturbed(drawn_settings(EVALUATION, seed, FIELD_MM), self._disturbance), seed
        )
        xrays = [simulator.expose(camera, views.truth, view) for view, camera in enumerate(views.cameras)]
        return Case(number, tuple(map(self._read, xrays)), views.truth, start)

    def start_from(self, pose: Float64[np.ndarray, "4 4"]) -> Start:
        """A pose, right to 15° and some centimetres."""
        return start_from_pose(pose)

    def _read(self, xray: SimulatedXray) -> Radiograph:
        return xray.radiograph(distortion_corrected=DISTURBANCES[self._disturbance].corrected)
