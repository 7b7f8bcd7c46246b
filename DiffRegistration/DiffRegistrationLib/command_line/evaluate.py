"""`fluororeg evaluate`: a named suite of X-rays whose truth is known, run, summed up and shown."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..xray.errors import InputError
from .output import JsonOption, console, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..evaluation.robustness import RobustnessRow
    from ..evaluation.run import Evaluation


def evaluate(
    suite: Annotated[
        str,
        typer.Argument(help="head-ap, head-lateral, head-wide, head-biplane, head-triplane, skull-scout or wrist."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder that keeps finished cases (evaluation/SUITE-SUBJECT).")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Whose X-rays are simulated: visible-human (default) or phantom.")
    ] = None,
    cases: Annotated[int | None, typer.Option("--cases", min=1, help="Only the first so many cases.")] = None,
    start: Annotated[
        list[str] | None,
        typer.Option("--start", help="Only this kind of start: near, none, network. May be repeated."),
    ] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Run DiffPose's and xvr's recipes beside ours.")] = False,
    peer_cases: Annotated[
        int, typer.Option("--peer-cases", min=1, help="How many cases the peers get; minutes each.")
    ] = 10,
    network_minutes: Annotated[
        float | None,
        typer.Option(
            "--network-minutes", help="Also from a pose network, trained for so long on the suite's CT first."
        ),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option("--network", help="Also from this network: one for poses of the suite's CT, or for landmarks."),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option("--landmarks", help="Landmarks of the suite's CT (.mrk.json), for a network that finds them."),
    ] = None,
    disturbance: Annotated[
        str, typer.Option("--disturbance", help="Something else wrong with the X-rays; a wrong name lists them.")
    ] = "none",
    robustness: Annotated[
        int, typer.Option("--robustness", min=0, help="Also every disturbance, each on the first so many cases.")
    ] = 0,
    html: Annotated[bool, typer.Option("--html", help="Write report.html into the folder.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a suite and say how far off the poses are. An interrupted run goes on where it stopped.

    Written are cases.jsonl (a line for each registration), evaluation.json and, with --html, report.html.
    """
    from ..evaluation.run import DEFAULT_SUBJECT, evaluate, write_evaluation
    from ..evaluation.suites import suite_named

    with input_errors_end_the_command(as_json):
        if network_minutes is not None and not network_minutes > 0:
            raise InputError("--network-minutes", f"expected more than 0, got {network_minutes:g}", "8 are enough.")
        if robustness and suite_named(suite).draw is None:
            raise InputError("--robustness", f"was given, but {suite} is of real X-rays", "Leave it out.")
        who = suite_named(suite).subject or subject or DEFAULT_SUBJECT
        folder = out or Path("evaluation") / "-".join([suite, who, *([disturbance] if disturbance != "none" else [])])
        with console.status(f"Opening {suite}…") as status:
            evaluation = evaluate(
                suite,
                folder,
                subject=subject,
                disturbance=disturbance,
                cases=cases,
                starts=start,
                peer_cases=peer_cases if peers else 0,
                network_minutes=network_minutes,
                network_file=network,
                landmarks=landmarks,
                tell=status.update,
            )
            rows: list[RobustnessRow] = []
            if robustness:
                rows = _robustness(suite, folder, subject, robustness, status.update)
            write_evaluation(folder / "evaluation.json", evaluation, rows)
            if html:
                from ..evaluation.pages import write_page

                status.update("Drawing the report…")
                command = _command(
                    *(suite, subject, cases, start, peer_cases if peers else 0, network_minutes),
                    *(network is not None, disturbance, robustness),
                )
                write_page(folder / "report.html", evaluation, command, rows)
    if as_json:
        print_json(evaluation.as_dict(rows))
    _show(evaluation, rows)
    say(str(folder / ("report.html" if html else "evaluation.json")), label="Written:")


def _robustness(
    suite: str, folder: Path, subject: str | None, cases: int, tell: Callable[[str], None]
) -> list[RobustnessRow]:
    from ..evaluation.disturbances import DISTURBANCES
    from ..evaluation.robustness import RobustnessRow
    from ..evaluation.run import evaluate

    rows = []
    for name, disturbance in DISTURBANCES.items():

        def told(text: str, name: str = name) -> None:
            tell(f"{name}: {text}")

        found = evaluate(
            suite,
            folder / "robustness" / name,
            subject=subject,
            disturbance=name,
            cases=cases,
            starts=["near"],
            tell=told,
        )
        rows.append(RobustnessRow(name, disturbance.words, found.summaries["ours, near"]))
    return rows


def _command(
    suite: str,
    subject: str | None,
    cases: int | None,
    start: list[str] | None,
    peer_cases: int,
    network_minutes: float | None,
    has_network: bool,
    disturbance: str,
    robustness: int,
) -> str:
    """The line that runs the same again; folders are the user's own business."""
    words = ["fluororeg", "evaluate", suite]
    words += ["--subject", subject] if subject else []
    words += ["--cases", str(cases)] if cases else []
    for kind in start or []:
        words += ["--start", kind]
    words += ["--peers", "--peer-cases", str(peer_cases)] if peer_cases else []
    words += ["--network-minutes", f"{network_minutes:g}"] if network_minutes else []
    words += ["--network", "NETWORK.pt"] if has_network else []
    words += ["--disturbance", disturbance] if disturbance != "none" else []
    words += ["--robustness", str(robustness)] if robustness else []
    return shlex.join([*words, "--html"])


def _show(evaluation: Evaluation, rows: list[RobustnessRow]) -> None:
    for name, s in evaluation.summaries.items():
        say(
            f"{s['cases']} cases, mTRE median {s['median_mtre_mm']:.2f} mm, 95 % below {s['p95_mtre_mm']:.2f} mm, "
            f"under 2 mm {s['under_2mm']:.0%}, gross failures {s['gross_failure_rate']:.0%}, "
            f"median {s['median_seconds']:.2f} s",
            label=f"{name}:",
            style="bold",
        )
    for target in evaluation.targets:
        style = "green" if target.met else "red"
        say(
            f"{target.name} {target.found_in_words}, asked for {target.in_words}",
            label="met:" if target.met else "not met:",
            style=style,
        )
    for row in rows:
        say(
            f"mTRE median {row.summary['median_mtre_mm']:.2f} mm, under 2 mm {row.summary['under_2mm']:.0%}, "
            f"gross failures {row.summary['gross_failure_rate']:.0%}",
            label=f"{row.disturbance}:",
        )
