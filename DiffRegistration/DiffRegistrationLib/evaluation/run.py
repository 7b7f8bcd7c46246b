"""Runs a suite, case by case, and sums it up; what is finished is never run twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..benchmarks.machine import machine
from ..registration.registration import register
from ..registration.starts import start_from_name
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from ..xray.simulator.ranges import EVALUATION
from .case import Bench, Case, errors, start_distance
from .comparison import compared
from .disturbances import NOTHING, disturbance_named
from .network_under_test import NetworkUnderTest, network_in_file, network_trained
from .outcome import NEAR, NETWORK, NETWORK_ALONE, NONE, OURS, Outcome
from .peers import PEERS, check_peers_installed
from .record import Record, engine_fingerprint
from .robustness import RobustnessRow
from .suites import Suite, suite_named
from .summary import Summary, groups, summary
from .target import Target

DEFAULT_SUBJECT = "visible-human"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Evaluation:
    """A suite's outcomes and what they come to; `summaries` and `comparisons` are keyed as `groups` names them."""

    suite: Suite
    subject: str
    disturbance: str
    outcomes: tuple[Outcome, ...]
    summaries: Mapping[str, Summary]
    comparisons: Mapping[str, Mapping[str, float | int]]
    targets: tuple[Target, ...]
    machine: Mapping[str, Any]

    def as_dict(self, robustness: Sequence[RobustnessRow] = ()) -> dict[str, Any]:
        """For JSON: `summary` is that of ours from the suite's first kind of start."""
        return {
            "suite": self.suite.name,
            "version": self.suite.version,
            "description": self.suite.description,
            "seed": self.suite.seed,
            "subject": self.subject,
            "disturbance": self.disturbance,
            "ranges": None if self.suite.draw is None else EVALUATION.name,
            "summary": next(iter(self.summaries.values())),
            "summaries": self.summaries,
            "peers": self.comparisons,
            "targets": [asdict(target) | {"met": target.met} for target in self.targets],
            "machine": self.machine,
            "robustness": [asdict(row) for row in robustness],
            "cases": [outcome.as_dict() for outcome in self.outcomes],
        }


def evaluate(
    suite_name: str,
    folder: Path,
    *,
    subject: str | None = None,
    disturbance: str = NOTHING,
    cases: int | None = None,
    starts: Sequence[str] | None = None,
    peer_cases: int = 0,
    network_minutes: float | None = None,
    network_file: Path | None = None,
    landmarks: Path | None = None,
    tell: Tell = lambda _: None,
) -> Evaluation:
    """Run `suite_name`, or go on with it, keeping outcomes below `folder`.

    `subject` is whose X-rays are simulated, `cases` how many of the suite's are run (all), `starts` which of its kinds
    of start (all), `peer_cases` how many of them the peers run too; `network_minutes` adds starts from a pose network
    that is trained for so long first, on the CT that is registered, and is kept in the folder, or `network_file` from
    that network, which may also find `landmarks` of that CT. The sums are over the cases asked for, also where the
    folder holds more. InputError for names that do not exist, for what the suite
    cannot do, and for absent data.
    """
    suite = suite_named(suite_name)
    disturbance_named(disturbance)
    subject = _subject(suite, subject, disturbance)
    if network_minutes is not None and network_file is not None:
        raise InputError("--network", "was given beside --network-minutes", "Leave one of them out.")
    kinds = _starts(suite, starts, network_minutes, network_file)
    if peer_cases:
        if not suite.peers:
            raise InputError(
                "--peers", f"cannot run on {suite.name}: their recipes know one cone-beam view", "Leave it out."
            )
        if NEAR not in kinds:
            raise InputError(
                "--peers", f"was given with --start {NONE}: they need a pose near the truth", "Leave one out."
            )
        check_peers_installed()
    run = {
        "suite": suite.name,
        "version": suite.version,
        "subject": subject,
        "disturbance": disturbance,
        "ranges": EVALUATION.name,
        "program": engine_fingerprint(),
        **({"network_minutes": network_minutes} if NETWORK in kinds and network_minutes is not None else {}),
        **({"network": _of_file(network_file)} if NETWORK in kinds and network_file is not None else {}),
    }
    bench = suite.bench(subject, disturbance)
    record = Record(folder, run)
    count = min(cases or suite.cases, suite.cases)
    wanted = _wanted(suite, count, kinds, peer_cases)
    network = None
    if NETWORK in kinds and network_file is not None:
        network = network_in_file(bench.projector.ct, network_file, landmarks)
    elif NETWORK in kinds:
        assert suite.preset is not None and network_minutes is not None
        network = network_trained(bench.projector.ct, suite.preset, folder, network_minutes, tell)
    _run(bench, record, wanted, network, tell)
    asked = set(wanted)
    outcomes = [o for o in record.outcomes if (o.case, o.method, o.start) in asked]
    outcomes.sort(key=lambda o: (o.method != OURS, o.method, kinds.index(o.start), o.case))
    return _summed_up(suite, subject, disturbance, outcomes)


def _subject(suite: Suite, subject: str | None, disturbance: str) -> str:
    if suite.subject is None:
        return subject or DEFAULT_SUBJECT
    if subject is not None:
        raise InputError("--subject", f"was given, but {suite.name} is of real X-rays", "Leave it out.")
    if disturbance != NOTHING:
        raise InputError(
            "--disturbance", f"was given, but {suite.name} is of real X-rays, which stay as they are", "Leave it out."
        )
    return suite.subject


def _of_file(path: Path) -> str:
    """What tells one network from another; its name may be a patient's."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error


def _starts(
    suite: Suite, starts: Sequence[str] | None, network_minutes: float | None, network_file: Path | None
) -> tuple[str, ...]:
    if network_minutes is not None and suite.preset is None:
        raise InputError("--network-minutes", f"was given, but no preset is for {suite.name}", "Leave it out.")
    has_network = network_minutes is not None or network_file is not None
    known = (*suite.starts, *([NETWORK] if has_network else []))
    for start in starts or ():
        if start == NETWORK and suite.preset is not None and not has_network:
            raise InputError(
                "--start network",
                "needs a network",
                "Give one (--network), or say how long to train (--network-minutes).",
            )
        if start not in known:
            raise InputError(f"start {start!r}", f"{suite.name} has none", f"Use one of {', '.join(known)}.")
    return tuple(start for start in known if starts is None or start in starts)


Key = tuple[int, str, str]


def _wanted(suite: Suite, count: int, kinds: Sequence[str], peer_cases: int) -> list[Key]:
    """(case, method, start) of every registration, in order: of one case all, then the next."""
    keys: list[Key] = []
    for number in range(1, count + 1):
        for kind in kinds:
            # Of one real X-ray there is one case with no start.
            if kind != NONE or suite.draw is not None or number == 1:
                keys.append((number, OURS, kind))
            if kind == NETWORK:
                keys.append((number, NETWORK_ALONE, kind))
        if number <= peer_cases and NEAR in kinds:
            keys += [(number, peer, NEAR) for peer in PEERS]
    return keys


def _run(bench: Bench, record: Record, wanted: Sequence[Key], network: NetworkUnderTest | None, tell: Tell) -> None:
    missing: dict[int, list[Key]] = {}
    for key in wanted:
        if not record.has(*key):
            missing.setdefault(key[0], []).append(key)
    warm = False
    done = len(wanted) - sum(map(len, missing.values()))
    for number, keys in missing.items():
        tell(f"{done} of {len(wanted)} done; case {number}: its X-rays")
        case = bench.case(number)
        if not warm:
            # Compiling and the CT's pyramid are paid once a program, not once a case.
            register(bench.projector, case.radiographs, bench.start_from(case.start))
            warm = True
        for _, method, start in keys:
            tell(f"{done} of {len(wanted)} done; case {number}: {method}, start {start}")
            record.add(_registered(bench, case, method, start, network))
            done += 1


def _registered(bench: Bench, case: Case, method: str, kind: str, network: NetworkUnderTest | None) -> Outcome:
    ct = bench.projector.ct
    if kind == NETWORK:
        assert network is not None
        return _from_network(bench, case, method, network)
    verdict: str | None = None
    reason: str | None = None
    if method == OURS:
        start = bench.start_from(case.start) if kind == NEAR else start_from_name("any", ct, case.radiographs)
        result = register(bench.projector, case.radiographs, start)
        pose, seconds, verdict, reason = result.pose, result.seconds, result.verdict.value, result.reason
    else:
        found = PEERS[method](ct, case.radiographs, case.start)
        pose, seconds = found.pose, found.seconds
    return outcome_of(bench, case, method, kind, pose, seconds, verdict, reason)


def _from_network(bench: Bench, case: Case, method: str, network: NetworkUnderTest) -> Outcome:
    """The network's pose itself, or what the solver makes of it; seconds count from the image."""
    said = network.start(case.radiographs)
    if method == NETWORK_ALONE:
        return outcome_of(bench, case, method, NETWORK, said.pose, said.seconds, None, None)
    result = register(bench.projector, case.radiographs, said.start)
    return outcome_of(
        bench,
        replace(case, start=said.pose),
        method,
        NETWORK,
        result.pose,
        said.seconds + result.seconds,
        result.verdict.value,
        result.reason,
    )


def outcome_of(
    bench: Bench,
    case: Case,
    method: str,
    kind: str,
    pose: Float64[np.ndarray, "4 4"],
    seconds: float,
    verdict: str | None,
    reason: str | None,
) -> Outcome:
    """The line of one registration."""
    ct = bench.projector.ct
    # A method that was lost in NaN has found nothing better than its start.
    found = pose if np.isfinite(pose).all() else case.start
    off = errors(case, found, ct, bench.targets)
    begun = None if kind == NONE or method == NETWORK_ALONE else start_distance(case, ct, bench.targets)
    return Outcome(
        case=case.number,
        method=method,
        start=kind,
        start_rotation_deg=None if begun is None else begun.rotation_deg,
        start_in_plane_mm=None if begun is None else begun.in_plane_mm,
        start_depth_mm=None if begun is None else begun.depth_mm,
        start_mtre_mm=None if begun is None else begun.mtre_mm,
        **asdict(off),
        verdict=verdict,
        reason=reason,
        seconds=seconds,
        pose=found.tolist(),
        truth=case.truth.tolist(),
    )


def _summed_up(suite: Suite, subject: str, disturbance: str, outcomes: Sequence[Outcome]) -> Evaluation:
    grouped = groups(outcomes)
    summaries = {name: summary(group) for name, group in grouped.items()}
    ours = grouped.get(f"{OURS}, {NEAR}")
    comparisons = {
        peer: compared(ours, grouped[f"{peer}, {NEAR}"]) for peer in PEERS if f"{peer}, {NEAR}" in grouped and ours
    }
    targets = []
    # The figures asked for are those of the suite as it is.
    for goal in suite.goals if disturbance == NOTHING else ():
        found = summaries.get(f"{goal.method}, {goal.start}")
        value = None if found is None else dict(found)[goal.key]
        if isinstance(value, int | float):
            targets.append(Target(goal.name, goal.wanted, float(value), goal.unit, goal.at_least))
    packages = (
        "fluororegistration",
        "numpy",
        "numba",
        *(("torch", "nanodrr") if comparisons else ("torch",) if f"{OURS}, {NETWORK}" in grouped else ()),
    )
    return Evaluation(
        suite, subject, disturbance, tuple(outcomes), summaries, comparisons, tuple(targets), machine(*packages)
    )


def write_evaluation(path: Path, evaluation: Evaluation, robustness: Sequence[RobustnessRow] = ()) -> None:
    """The evaluation as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(evaluation.as_dict(robustness), indent=1) + "\n", encoding="utf-8")
