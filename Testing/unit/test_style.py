"""Looks are translated without moving anything, learnt from folders of X-rays, and kept in files that are checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.training.training_loop import Budget
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.xray_files import read_line_integrals
from fluororeg_runs import head
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.evaluation import style_evaluation
from LandmarkDetectionLib.population.view_ranges import view_ranges
from LandmarkDetectionLib.style.discriminator import Discriminator, judged_by_frozen
from LandmarkDetectionLib.style.drr_looks import DrrLooks
from LandmarkDetectionLib.style.generator import Generator, GeneratorForm
from LandmarkDetectionLib.style.gradient_consistency import gradient_inconsistency
from LandmarkDetectionLib.style.image_pool import ImagePool
from LandmarkDetectionLib.style.matched_tones import MatchedTones
from LandmarkDetectionLib.style.structure_shift import structure_shift
from LandmarkDetectionLib.style.style_tones import style_tones
from LandmarkDetectionLib.style.trainer import StyleRecipe
from LandmarkDetectionLib.style.translated_xray import translated_image
from LandmarkDetectionLib.style.translation_file import read_translation, write_translation
from LandmarkDetectionLib.style.translators import METHODS
from LandmarkDetectionLib.style.workflow import train_style
from LandmarkDetectionLib.style.xray_folder import xray_looks
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner


def structured(size: int = 128, seed: int = 0) -> np.ndarray:
    """Soft blobs of all sizes, −1 … 1."""
    random = np.random.default_rng(seed)
    image = sum(ndimage.gaussian_filter(random.normal(size=(size, size)), s) * s for s in (2, 4, 8))
    return np.asarray(np.clip(image / np.abs(image).max() * 1.5, -1, 1), dtype=np.float32)


def folder_of_xrays(path: Path, count: int = 6) -> Path:
    """Pictures of different sizes, bone dark, with a file among them that is none."""
    path.mkdir()
    for number in range(count):
        grey = np.rint((1 - structured(150 + 10 * number, number)) * 30000).astype(np.uint16)
        Image.fromarray(grey).save(path / f"xray-{number}.png")
    (path / "notes.txt").write_text("not an X-ray")
    return path


def recipe(method: str) -> StyleRecipe:
    return StyleRecipe(method=method, size=64, batch=1, channels=4, blocks=1)


def test_a_shift_of_structures_is_measured_to_a_tenth_of_a_pixel() -> None:
    image = structured()
    assert structure_shift(image, image).max() < 0.05
    moved = ndimage.shift(image, (1.5, -2.0), order=3, mode="nearest")
    shifts = structure_shift(image, moved)
    assert len(shifts) > 20
    assert np.median(shifts) == pytest.approx(2.5, abs=0.1)


def test_turning_tones_over_or_bending_them_moves_nothing() -> None:
    image = structured()
    for other in (-image, np.sign(image) * np.abs(image) ** 0.7, 0.2 * image):
        assert structure_shift(image, other).mean() < 0.25


def test_edges_are_inconsistent_where_they_moved_and_not_where_tones_changed() -> None:
    image = structured()
    before, steeper, moved, other = (
        torch.from_numpy(np.ascontiguousarray(one, dtype=np.float32))[None, None]
        for one in (image, 0.5 * image + 0.2, ndimage.shift(image, (0.0, 3.0), mode="nearest"), structured(seed=5))
    )
    assert float(gradient_inconsistency(before, before)) == pytest.approx(0, abs=1e-4)
    assert float(gradient_inconsistency(before, steeper)) == pytest.approx(0, abs=1e-3)
    assert 0.1 < float(gradient_inconsistency(before, moved)) < float(gradient_inconsistency(before, other))
    assert float(gradient_inconsistency(before, -before)) == pytest.approx(2, abs=1e-3)


def test_tones_span_the_usable_part_whatever_the_exposure() -> None:
    image = torch.from_numpy(structured())[None]
    mask = torch.ones_like(image, dtype=torch.bool)
    mask[:, :, :20] = False
    tones = style_tones(image, mask)
    torch.testing.assert_close(style_tones(7 * image - 3, mask), tones, atol=1e-4, rtol=0)
    assert (tones[0, 0, :, :20] == -1).all()
    assert float((tones[:, :, :, 20:] > 0.999).float().mean()) == pytest.approx(0.02, abs=0.005)


def test_a_generator_changes_the_image_instead_of_painting_a_new_one() -> None:
    image = torch.from_numpy(structured())[None, None]
    generator = Generator(GeneratorForm())
    with torch.no_grad():
        assert not torch.allclose(generator(image), image, atol=0.01)
        generator.leave.weight.zero_()
        torch.testing.assert_close(generator(image), image, atol=2e-3, rtol=0)


def test_a_discriminator_judges_patches_of_70_pixels() -> None:
    image = torch.zeros(1, 1, 160, 160, requires_grad=True)
    told = Discriminator().double().eval()
    # The norm sees the whole image; without it only the patch counts.
    layers = torch.nn.Sequential(*(layer for layer in told.layers if not isinstance(layer, torch.nn.InstanceNorm2d)))
    answers = layers(image.double())
    answers[0, 0, answers.shape[2] // 2, answers.shape[3] // 2].backward()
    assert image.grad is not None
    rows = torch.nonzero(image.grad[0, 0].abs().sum(dim=1))
    assert int(rows.max() - rows.min()) + 1 == 70


def test_a_generator_learns_from_a_discriminator_that_does_not() -> None:
    discriminator = Discriminator()
    image = torch.from_numpy(structured())[None, None].requires_grad_()
    judged_by_frozen(discriminator, image).backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert all(weights.grad is None for weights in discriminator.parameters())


def test_a_pool_gives_back_images_of_earlier_steps() -> None:
    random, pool = np.random.default_rng(0), ImagePool()
    for number in range(60):
        pool.exchanged(torch.full((1, 1, 2, 2), float(number)), random)
    given = [float(pool.exchanged(torch.full((1, 1, 2, 2), 100.0), random)[0, 0, 0, 0]) for _ in range(40)]
    assert 10 < sum(value < 60 for value in given) < 30


def test_matched_tones_have_the_distribution_of_drrs_in_their_own_order() -> None:
    drrs = torch.from_numpy(np.stack([structured(seed=n) ** 3 for n in range(4)]))[:, None]
    image = torch.from_numpy(structured(seed=9))[None]
    matched = MatchedTones(drrs).translated(image, torch.ones_like(image, dtype=torch.bool))
    order = np.argsort(image.numpy().ravel())
    # Tones beyond 2 % and 98 % are one.
    assert (np.diff(matched.numpy().ravel()[order]) > -1e-4).all()
    assert float(matched.median()) == pytest.approx(float(drrs.median()), abs=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_a_training_writes_what_it_learns_and_goes_on(tmp_path: Path, method: str) -> None:
    looks = xray_looks(folder_of_xrays(tmp_path / "xrays"))
    ct, views, model = head(), view_ranges("fluoroscopy"), tmp_path / "style.pt"

    def train(steps: int) -> int:
        result = train_style(
            looks, [ct], model, views=views, budget=Budget(steps=steps), recipe=recipe(method), device="cpu"
        )
        assert result.preview.is_file() and result.progress.validation is not None
        return result.progress.step

    assert train(3) == 3
    first = read_translation(model)
    assert train(5) == 5
    second = read_translation(model)
    assert (first.to_xray is None) == (method == "cut")
    before, after = (dict(one.to_drr.named_parameters()) for one in (first, second))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    other = recipe("cut" if method == "cyclegan" else "cyclegan")
    with pytest.raises(InputError, match="recipe"):
        train_style(looks, [ct], model, views=views, budget=Budget(steps=6), recipe=other)


def test_drrs_are_cut_like_xrays_behind_the_same_shutters() -> None:
    looks = DrrLooks([head()], view_ranges("fluoroscopy"), 64, seed=5, stock=4)
    masks = torch.ones((24, 1, 64, 64), dtype=torch.bool)
    masks[:, :, :, :20] = False
    tones = looks.behind(masks, np.random.default_rng(0))
    assert (tones[~masks] == -1).all()
    # What is open has all tones of its own, as if there were nothing else.
    opened = tones[:, 0, :, 20:].flatten(1)
    np.testing.assert_allclose(opened.amax(dim=1), 1.0)
    np.testing.assert_allclose(opened.amin(dim=1), -1.0)
    # Parts of heads fill more of the image than whole ones do.
    whole = (looks.images[:, :, :, 20:] > -0.5).float().mean()
    assert (tones[:, :, :, 20:] > -0.5).float().mean() > 1.05 * whole


@pytest.mark.slow
@pytest.mark.parametrize(("method", "steps", "rate"), [("cut", 100, 1e-3), ("cyclegan", 200, 2e-3)])
def test_a_look_that_is_a_curve_of_tones_is_undone(tmp_path: Path, method: str, steps: int, rate: float) -> None:
    """X-rays are DRRs of the same CT turned over: tones come nearer to those of DRRs, and nothing moves."""
    views, ct, folder = view_ranges("fluoroscopy"), head(), tmp_path / "xrays"
    folder.mkdir()
    for number, image in enumerate(DrrLooks([ct], views, 96, seed=5, stock=40).images[:, 0].numpy()):
        grey = np.rint(np.clip((1 - image) / 2, 0, 1) ** 0.4 * 65535).astype(np.uint16)
        Image.fromarray(grey).save(folder / f"{number}.png")
    chosen = StyleRecipe(method, size=64, batch=2, learning_rate=rate, channels=8, blocks=1)
    result = train_style(
        xray_looks(folder), [ct], tmp_path / "style.pt", views=views, budget=Budget(steps=steps), recipe=chosen
    )
    found = result.progress.validation
    assert found is not None
    assert found.tones < 0.7 * found.tones_before
    assert found.shift_px < 1


def test_too_few_xrays_are_refused_and_few_ones_are_said_to_be(tmp_path: Path) -> None:
    said: list[str] = []
    looks = xray_looks(folder_of_xrays(tmp_path / "few"), said.append)
    assert len(looks.xrays) == 6 and looks.left_out == ("notes.txt",)
    assert any("notes.txt" in words for words in said) and any("6 X-ray images are few" in words for words in said)
    with pytest.raises(InputError, match="holds 2 X-ray images"):
        xray_looks(folder_of_xrays(tmp_path / "fewer", 2))
    with pytest.raises(InputError, match="no such folder"):
        xray_looks(tmp_path / "none")
    (tmp_path / "few" / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        xray_looks(tmp_path / "few")


def test_x_rays_to_learn_a_look_from_are_read_as_they_were_simulated(tmp_path: Path) -> None:
    simulated, views = phantom_head(4.0), view_ranges("fluoroscopy")
    style_evaluation.write_simulated_xrays(tmp_path, simulated, views, 1)
    case = style_evaluation.simulated_case(simulated, views, style_evaluation._LEARNT, 0).radiograph
    (read,) = read_line_integrals(tmp_path / "xray-000.png")
    both = case.mask & read.mask
    assert both.sum() > 0.9 * case.mask.sum()
    assert np.ptp((read.attenuation - case.attenuation)[both]) < 0.02


def test_a_translation_keeps_mask_and_size_of_any_image() -> None:
    mask = np.zeros((150, 211), dtype=bool)
    mask[20:140, 30:200] = True
    image = ndimage.zoom(structured(), (150 / 128, 211 / 128), order=1).astype(np.float32)
    translated = translated_image(Generator(GeneratorForm(4, 1)).eval(), 96, image, mask)
    assert translated.shape == image.shape and (translated[~mask] == -1).all()
    assert np.ptp(translated[mask]) > 0.5


def test_files_that_are_no_translation_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "style.pt"
    network = Generator(GeneratorForm(4, 1))
    write_translation(path, network, None, 64, {"method": "cut"})
    assert read_translation(path).to_drr.form == network.form
    torch.save({"metadata": json.dumps({"format": "something else"})}, path)
    with pytest.raises(InputError, match="something else"):
        read_translation(path)
    write_translation(path, network, None, 64, {"format": "fluororeg style 1", "form": {"channels": 8, "blocks": 1}})
    with pytest.raises(InputError, match="does not fit"):
        read_translation(path)


def test_apply_writes_pictures_and_says_what_moved(tmp_path: Path) -> None:
    model, folder = tmp_path / "style.pt", folder_of_xrays(tmp_path / "xrays")
    write_translation(model, Generator(GeneratorForm(4, 1)), None, 64, {"method": "cut"})
    xray, out = str(folder / "xray-0.png"), tmp_path / "translated"
    result = CliRunner().invoke(app, ["style", "apply", str(model), xray, "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)["translated"]
    assert told["shift_px"] < 1
    assert Image.open(out / "xray-0.png").size == Image.open(xray).size
    again = CliRunner().invoke(app, ["style", "apply", str(model), xray, xray, "--out", str(tmp_path / "twice")])
    assert again.exit_code != 0 and not (tmp_path / "twice").exists()


def test_train_from_the_command_line(tmp_path: Path) -> None:
    folder = folder_of_xrays(tmp_path / "xrays")
    wrong = CliRunner().invoke(
        app, ["style", "train", str(folder), "--method", "paint", "--out", str(tmp_path / "a.pt")]
    )
    assert wrong.exit_code != 0 and "paint" in wrong.output and not (tmp_path / "a.pt").exists()
