"""The suites by name: which views of whom, from which starts, and the figures they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..xray.errors import InputError
from . import views
from .case import Bench
from .outcome import NEAR, NETWORK, NETWORK_ALONE, NONE, OURS
from .real_benches import ScoutBench, WristBench
from .simulated_bench import SimulatedBench
from .subjects import subject_named


@dataclass(frozen=True)
class Goal:
    """A figure asked for: `key` of `method`'s summary from `start`, at most `wanted`, or at least if `at_least`."""

    name: str
    start: str
    key: str
    wanted: float
    unit: str = ""
    at_least: bool = False
    method: str = OURS


@dataclass(frozen=True)
class Suite:
    """A named, seeded, versioned set of cases; a change of any of them asks for a new version.

    `starts` are the kinds of start, the one that heads the figures first. `draw` places the views of a simulated
    suite; `open_real` opens a suite of real X-rays, of which `subject` is the only one. `peers` says whether the
    peers' recipes, which know one pinhole view, can run on it; `preset` is what a pose network for it is trained on.
    """

    name: str
    version: int
    description: str
    seed: int
    cases: int
    starts: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    draw: views.Draw | None = None
    open_real: Callable[[int], Bench] | None = None
    subject: str | None = None
    peers: bool = False
    preset: str | None = None

    def bench(self, subject: str, disturbance: str) -> Bench:
        """Its cases. InputError for an unknown subject, and where data is absent."""
        if self.open_real is not None:
            return self.open_real(self.seed)
        assert self.draw is not None
        return SimulatedBench(subject_named(subject), self.draw, self.seed, disturbance)


def _one_view_goals(start: str = NEAR) -> tuple[Goal, ...]:
    return (
        Goal("median mTRE", start, "median_mtre_mm", 0.7, " mm"),
        Goal("median in-plane error", start, "median_in_plane_mm", 0.2, " mm"),
        Goal("under 2 mm", start, "under_2mm", 0.97, at_least=True),
        Goal("gross failures", start, "gross_failure_rate", 0.01),
        Goal("median time", start, "median_seconds", 1.0, " s"),
    )


def _network_goals(under_2mm: bool = False) -> tuple[Goal, ...]:
    """From a network that was told nothing: alone, and after the solver."""
    if under_2mm:
        return (Goal("under 2 mm, start network", NETWORK, "under_2mm", 0.95, at_least=True),)
    return (
        Goal("median mTRE of the network alone", NETWORK, "median_mtre_mm", 6.0, " mm", method=NETWORK_ALONE),
        Goal("median mTRE, start network", NETWORK, "median_mtre_mm", 0.7, " mm"),
        Goal("gross failures, start network", NETWORK, "gross_failure_rate", 0.01),
        Goal("median time, start network", NETWORK, "median_seconds", 1.0, " s"),
    )


def _verdict_goals(*starts: str) -> tuple[Goal, ...]:
    return tuple(
        goal
        for start in starts
        for goal in (
            Goal(f"gross failures accepted, start {start}", start, "gross_failures_accepted", 0),
            Goal(f"accepted of those under 1 mm, start {start}", start, "accepted_of_under_1mm", 0.9, at_least=True),
        )
    )


_NEAR_IN_WORDS = "starts up to 15°, ±30 mm across and ±60 mm along the beam; and with no start"

SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            "head-ap",
            1,
            f"One view from the front, head turned by up to 15°; {_NEAR_IN_WORDS}.",
            101,
            100,
            (NEAR, NONE),
            _one_view_goals() + _network_goals() + _verdict_goals(NEAR, NONE, NETWORK),
            views.ap,
            peers=True,
            preset="head-ap",
        ),
        Suite(
            "head-lateral",
            1,
            f"One view from either side, head turned by up to 15°; {_NEAR_IN_WORDS}.",
            102,
            100,
            (NEAR, NONE),
            _network_goals() + _verdict_goals(NEAR, NONE, NETWORK),
            views.lateral,
            peers=True,
            preset="head-lateral",
        ),
        Suite(
            "head-wide",
            1,
            "One view from up to 125° around the front, 30° up and down, 15° rolled, ±50 mm across and ±150 mm along "
            f"the body; {_NEAR_IN_WORDS}.",
            103,
            100,
            (NONE, NEAR),
            (
                Goal("under 2 mm", NONE, "under_2mm", 0.9, at_least=True),
                Goal("median time", NONE, "median_seconds", 15.0, " s"),
                *_network_goals(under_2mm=True),
                *_verdict_goals(NONE, NEAR, NETWORK),
            ),
            views.wide,
            peers=True,
            preset="head-wide",
        ),
        Suite(
            "head-biplane",
            1,
            f"Two views 70 to 110° apart, together; {_NEAR_IN_WORDS}.",
            104,
            100,
            (NEAR, NONE),
            (
                Goal("median mTRE", NEAR, "median_mtre_mm", 0.2, " mm"),
                Goal("under 1 mm", NEAR, "under_1mm", 0.99, at_least=True),
                Goal("median time", NEAR, "median_seconds", 2.0, " s"),
                *_verdict_goals(NEAR, NONE),
            ),
            views.biplane,
        ),
        Suite(
            "head-triplane",
            1,
            "The cases of head-biplane with a third view between the two; the same starts.",
            104,
            100,
            (NEAR,),
            (
                Goal("median mTRE", NEAR, "median_mtre_mm", 0.2, " mm"),
                Goal("under 1 mm", NEAR, "under_1mm", 0.99, at_least=True),
                *_verdict_goals(NEAR),
            ),
            views.triplane,
        ),
        Suite(
            "skull-scout",
            1,
            "A real X-ray: the lateral CT localizer of a plastic skull, starts up to 15° and 30 mm off; and with no "
            "start. Truth is the scanner's own pose, good to about 0.3° and 0.6 mm across the beam, not in depth.",
            105,
            100,
            (NEAR, NONE),
            (Goal("gross failures accepted", NEAR, "gross_failures_accepted", 0),),
            open_real=ScoutBench,
            subject="skull-phantom-ct",
        ),
        Suite(
            "wrist",
            1,
            "Real dual fluoroscopy of a wrist: the radius, starts up to 6° and 4 mm off. No truth is known: figures "
            "are distances from the pose found from the published rough one, that is agreement and not accuracy.",
            106,
            20,
            (NEAR,),
            (Goal("gross failures accepted", NEAR, "gross_failures_accepted", 0),),
            open_real=WristBench,
            subject="wrist-radius",
        ),
    )
}


def suite_named(name: str) -> Suite:
    """The suite of this name. InputError that lists the names for any other."""
    if name not in SUITES:
        raise InputError(f"suite {name!r}", "does not exist", f"Use one of {', '.join(SUITES)}.")
    return SUITES[name]
