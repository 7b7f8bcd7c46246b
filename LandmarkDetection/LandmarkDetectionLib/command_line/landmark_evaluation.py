"""`fluororeg landmarks evaluate`, `evaluate-motion`, `evaluate-transfer`: how far off what is found or carried is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from DiffRegistrationLib.command_line.output import (
    JsonOption,
    console,
    finite,
    input_errors_end_the_command,
    print_json,
    say,
)
from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write

from .model_argument import ModelArgument

if TYPE_CHECKING:
    from ..evaluation.simulated_cases import HeadOfCase


def evaluate(
    model: ModelArgument,
    ct: Annotated[
        Path | None,
        typer.Argument(help="The patient's CT, for a network that was trained on it; none: heads never trained on."),
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="Landmarks of the CT (.mrk.json), if not beside it.")
    ] = None,
    views: Annotated[
        str | None, typer.Option("--views", help="Views to judge on; those that were trained on by default.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Simulated X-rays.")] = 100,
    skulls: Annotated[
        int, typer.Option("--skulls", min=0, help="Also the skulls made of the landmarks in the first so many X-rays.")
    ] = 0,
    scout: Annotated[
        bool, typer.Option("--scout", help="Judge on the real lateral localizer of a skull instead.")
    ] = False,
    style: Annotated[
        Path | None,
        typer.Option("--style", help="With --scout: find landmarks through this translation, as detect does."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File for all figures (.json).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a network: on simulated X-rays in random views, magnification and collimation, or on a real one.

    The X-rays come from the simulator with its evaluation ranges, which no training draws from.
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from ..evaluation.run import evaluated, heads_never_trained_on
            from ..evaluation.scout import scout_figures
            from ..network.model_file import read_detector
            from ..population.view_ranges import view_ranges
            from ..style.translation_file import read_translation
            from ..training.training_files import heads_to_train_on
        if style is not None and not scout:
            raise InputError(style, "was given without --scout", "Give both, or use fluororeg style evaluate.")
        trained = read_detector(model)
        content: dict[str, Any] = {"model": model.name, "trained_seconds": trained.metadata["seconds"]}
        if scout:
            translation = None if style is None else read_translation(style)
            result = scout_figures(trained, translation)
            content |= {"scout_mean_mm": result.mean_mm, "scout_within_10_mm": result.within}
            if translation is not None:
                alone = scout_figures(trained, translation, translated_alone=True)
                content |= {"translated_mean_mm": alone.mean_mm, "translated_within_10_mm": alone.within}
            if not trained.is_of_patient:
                laid = scout_figures(trained, translation, with_template=True)
                content |= {"template_mean_mm": laid.mean_mm, "template_within_10_mm": laid.within}
            content |= {"errors_mm": dict(zip(result.found.names, result.errors_mm.tolist(), strict=True))}
        else:
            ranges = view_ranges(views or str(trained.metadata["views"]["name"]))
            if ct is not None:
                (head,) = heads_to_train_on(ct, landmarks, is_population=False, say=say)
                trained.check_knows(head.ct, model)
                heads: HeadOfCase = lambda _: head  # noqa: E731
            elif trained.is_of_patient:
                raise InputError(model, "knows one patient's head alone", "Give that patient's CT after it.")
            else:
                heads = heads_never_trained_on()
            with console.status("Simulating and finding…") as status:
                content |= evaluated(
                    trained,
                    heads,
                    ranges,
                    count,
                    tell=lambda done: status.update(f"{done} of {count} X-rays"),
                    skulls=skulls,
                )
        _write_figures(out, content)
    if as_json:
        print_json(content)
    if scout:
        say(
            f"{result.mean_mm:.1f} mm on average, {result.within:.1%} within 10 mm",
            label="Real localizer:",
            style="bold",
        )
        if not trained.is_of_patient:
            say(
                f"{laid.mean_mm:.1f} mm on average, {laid.within:.1%} within 10 mm",
                label="Real localizer, with a template:",
                style="bold",
            )
        return
    parts = {
        "": content,
        ", with the CT": content.get("with_ct", {}),
        ", with a template": content.get("with_template", {}),
    }
    for told, figures in parts.items():
        for name in filter(figures.__contains__, ("all", "seen", "not_seen", "eye_lenses")):
            one = figures[name]
            text = f"{one['mean_mm']:.2f} mm, {one['within_2d']:.1%} within 10 mm, {one['within_3d']:.1%} in space"
            say(f"{text} ({one['count']})", label=f"{name.replace('_', ' ')}{told}:", style="bold")
    for told, figures in parts.items():
        if "skull" in figures:
            one = figures["skull"]
            text = f"{one['mean_mm']:.2f} mm from the true surface on average, median {one['median_mm']:.2f} mm"
            say(f"{text} ({one['count']})", label=f"Skulls{told}:", style="bold")


def evaluate_motion(
    model: ModelArgument,
    count: Annotated[int, typer.Option("--count", min=2, help="Frame pairs of each motion.")] = 50,
    part: Annotated[
        float, typer.Option("--part", min=0.05, max=1.0, help="Close both fields until this part of the skull shows.")
    ] = 1.0,
    between: Annotated[
        float, typer.Option("--between", min=10, max=170, help="Degrees between the beams of both views.")
    ] = 80.0,
    distorted: Annotated[
        bool, typer.Option("--distorted", help="Leave the image intensifiers' distortion in, as without calibration.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="File for all figures (.json).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a network of the Visible Human's head in simulated dual fluoroscopy of its motions, nothing told.

    Each frame pair is placed by itself: by triangulated landmarks, by all landmarks of both views together, and by the
    solver from there.
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from DiffRegistrationLib.evaluation.head_motion_frames import Fluoroscopes

            from ..atlas.head import template_head
            from ..evaluation.dual_fluoroscopy import WAYS, placed_by_landmarks
            from ..network.model_file import read_detector
        trained = read_detector(model)
        trained.check_knows(template_head().ct, model)
        with console.status("Simulating…") as status:
            content = placed_by_landmarks(
                trained, count, part=part, fluoroscopes=Fluoroscopes(between, not distorted), tell=status.update
            )
        content = {"model": model.name, "trained_seconds": trained.metadata["seconds"], **content}
        _write_figures(out, content)
    if as_json:
        print_json(content)
    for name, activity in content["activities"].items():
        for frames, words in (("mostly_visible", "60 % of the skull in view and more"), ("end_of_range", "less")):
            for way in WAYS:
                one = activity[frames][way]
                if one["frames"] > one["without"]:
                    text = f"{one['mean_deg']:.2f}°, {one['mean_mm']:.2f} mm on average ({one['frames']} frame pairs)"
                    say(text, label=f"{name}, {words}, {way}:", style="bold")
        told = {verdict: sum(parts[verdict] for parts in activity["verdicts"].values()) for verdict in Verdict}
        text = ", ".join(f"{number} {verdict.value}" for verdict, number in told.items())
        say(f"{text}; accepted though wrong: {activity['accepted_gross_failures']}", label=f"{name}, verdicts:")


def evaluate_transfer(
    count: Annotated[int, typer.Option("--count", min=1, help="Deformed heads.")] = 6,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same heads.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="File for all figures (.json).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the carrying of landmarks: to heads that a known field deformed, and to the template's mirror image."""
    from ..atlas.head import template_head
    from ..evaluation.transfer_evaluation import evaluated_transfer, figures_of

    with input_errors_end_the_command(as_json), console.status("Carrying landmarks…") as status:
        found = evaluated_transfer(
            template_head(), count, seed, tell=lambda done: status.update(f"{done} of {count + 1} heads")
        )
        content = figures_of(found)
        _write_figures(out, content)
    if as_json:
        print_json(content)
    say(
        f"{content['mean_mm']:.2f} mm on average, {content['within_10_mm']:.1%} within 10 mm, in "
        f"{content['seconds']:.0f} s each ({count} heads)",
        label="Deformed heads:",
        style="bold",
    )
    mirror = content["mirrored"]
    say(
        f"{mirror['mean_mm']:.2f} mm on average; {mirror['sides_swapped']} of {mirror['sided']} landmarks of a side "
        "are nearer to their own side's place than to the other's",
        label="Mirror image:",
        style="bold",
    )


def _write_figures(out: Path | None, content: dict[str, Any]) -> None:
    """All figures as JSON, where a file was asked for."""
    if out is not None:
        with atomic_write(out) as temporary:
            temporary.write_text(json.dumps(finite(content), indent=1), encoding="utf-8")
