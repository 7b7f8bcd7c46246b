"""X-rays of many looks from one set of line integrals: the simulator's training ranges at training's speed.

The simulator follows every photon's energy through the full CT, a second an image. Here the same effects, with values
from the same named ranges, act on small images, in batches, wherever torch runs. What the two share is the ranges and
the physics, not the code: networks are judged on the simulator's X-rays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from ..pose_network.network_camera import NetworkCamera
from ..xray.attenuation import WATER_ATTENUATION_PER_MM
from ..xray.simulator.ranges import TRAINING, Ranges
from ..xray.simulator.scatter import Scatter
from .hardening import Hardening
from .ranges import drawn
from .shadows import shadows

# Sizes on the detector are meant at this distance from the source.
_DETECTOR_MM = 1000.0
# Half sides of detectors, in half fields.
_DETECTOR_HALF = (0.72, 1.1)
_STOCK = 192
# How often an effect that not every X-ray shows is on.
_SHADOWED, _VIGNETTED, _DISPLAYED = 0.35, 0.3, 0.5
# Of the collimators, how many are round, and how many the mask knows of.
_ROUND, _COLLIMATION_FOUND = 0.33, 0.85
_LEAK = 0.003
_SCATTER = Scatter(1.0)
# Blurs as wide as these are computed on blocks of this many pixels.
_BLOCK = 4
# How far stray light of an image intensifier reaches.
_GLARE_MM = 40.0
_EXPOSURE = (0.7, 1.05)


@dataclass(frozen=True, eq=False)
class Looks:
    """What is drawn for each image of a batch. `opening` has four half-planes (normal and offset) and a circle."""

    beams: Int[np.ndarray, "batch"]
    scatter: Float64[np.ndarray, "batch"]
    kerma: Float64[np.ndarray, "batch"]
    glare: Float64[np.ndarray, "batch"]
    vignetting: Float64[np.ndarray, "batch"]
    shadow: Int[np.ndarray, "batch"]
    shadow_strength: Float64[np.ndarray, "batch"]
    opening: Float64[np.ndarray, "batch 4 3"]
    radius: Float64[np.ndarray, "batch 3"]
    collimation_found: Bool[np.ndarray, "batch"]
    detector: Float64[np.ndarray, "batch 4"]
    exposure: Float64[np.ndarray, "batch"]
    gamma: Float64[np.ndarray, "batch"]
    curve: Int[np.ndarray, "batch"]
    bits: Int[np.ndarray, "batch"]
    noise: Int[np.ndarray, "batch"]

    def part(self, which: slice) -> Looks:
        """Those of some of the images."""
        return Looks(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


class DomainRandomisation:
    """Looks for images of `camera`, cut out of detectors about as wide as `detector_field` of their distance.

    `collimated_share` of the images are collimated.

    Same seed, same stock of beams and shadows.
    """

    def __init__(
        self,
        camera: NetworkCamera,
        detector_field: float,
        device: torch.device | str = "cpu",
        ranges: Ranges = TRAINING,
        seed: int = 0,
        collimated_share: float = 0.4,
    ) -> None:
        size = camera.size
        self._collimated_share = collimated_share
        self._size, self._device, self._ranges = size, torch.device(device), ranges
        self._pixel_mm = camera.pixel_angle * _DETECTOR_MM
        # A pixel's width in half fields of the detector, in which places on it are told.
        self._pixel = 2 * camera.pixel_angle / detector_field
        random = np.random.default_rng([seed, *b"domain randomisation"])
        self._hardening = Hardening(ranges, random, self._device)
        stock = shadows(_STOCK, size, self._pixel_mm, random)
        self._shadows = torch.tensor(stock, device=self._device)
        self._near, self._far, self._stray = (
            self._spread(sigma) for sigma in (_SCATTER.near_mm, _SCATTER.far_mm, _GLARE_MM)
        )
        line = self._pixel * (torch.arange(size, device=self._device, dtype=torch.float32) - (size - 1) / 2)
        ahead = torch.full((size, size), 2 / detector_field, device=self._device)
        self._ways = torch.stack([line.expand(size, size), line[:, None].expand(size, size), ahead])

    def _spread(self, sigma_mm: float) -> Float[torch.Tensor, "blocks blocks"]:
        """A Gaussian blur along one axis, as a matrix over blocks; beyond the image it is dark."""
        centres = (torch.arange(-(-self._size // _BLOCK), dtype=torch.float64) + 0.5) * _BLOCK * self._pixel_mm
        step = _BLOCK * self._pixel_mm
        kernel = torch.exp(-0.5 * ((centres[:, None] - centres) / sigma_mm) ** 2)
        return (kernel * step / (sigma_mm * np.sqrt(2 * np.pi))).to(self._device, torch.float32)

    def drawn(self, energies: Int[np.ndarray, "batch"], random: np.random.Generator, ease: float = 0.0) -> Looks:
        """Looks for images that are rendered at these of `ENERGIES_KEV`.

        Effects that not every X-ray shows (collimator, shadows, vignetting, curves) are left out as often as `ease`
        says, 0 … 1: a network that has yet to learn what a head is learns it sooner from plain images.
        """
        ranges, count = self._ranges, len(energies)

        def on(share: float) -> Bool[np.ndarray, "batch"]:
            return random.uniform(size=count) < share * (1 - ease)

        collimated, round_field = on(self._collimated_share), random.uniform(size=count) < _ROUND
        size = drawn(ranges.field_size, count, random)
        turn = np.radians(drawn(ranges.field_turn_deg, count, random))
        angles = turn[:, None] + np.pi / 2 * np.arange(4) + random.uniform(-0.2, 0.2, (count, 4))
        # Of the four blades some may stand far outside, as shutters do.
        offsets = size[:, None] * random.uniform(0.85, 1.25, (count, 4)) + 9 * (random.uniform(size=(count, 4)) < 0.2)
        offsets += np.where((collimated & ~round_field)[:, None], 0, 99)
        opening = np.stack([np.cos(angles), np.sin(angles), offsets], axis=2)
        radius = np.column_stack(
            [random.uniform(-0.12, 0.12, (count, 2)), np.where(collimated & round_field, 1.1 * size, 99)]
        )
        halves = random.uniform(*_DETECTOR_HALF, (count, 2))
        off = random.uniform(-0.05, 0.05, (count, 2))
        return Looks(
            beams=self._hardening.drawn(energies, random),
            scatter=drawn(ranges.scatter_to_primary, count, random),
            kerma=drawn(ranges.air_kerma_nanogray, count, random),
            glare=drawn(ranges.glare_fraction, count, random),
            vignetting=drawn(ranges.vignetting_loss, count, random) * on(_VIGNETTED),
            shadow=random.integers(_STOCK, size=count),
            shadow_strength=random.uniform(0.5, 1.5, count) * on(_SHADOWED),
            opening=opening,
            radius=radius,
            collimation_found=random.uniform(size=count) < _COLLIMATION_FOUND,
            detector=np.column_stack([off - halves, off + halves]),
            exposure=random.uniform(*_EXPOSURE, count),
            gamma=np.where(shown := on(_DISPLAYED), drawn(ranges.gamma, count, random), 1.0),
            curve=np.where(shown, random.integers(len(ranges.curves), size=count), 0),
            bits=np.where(shown, random.choice(ranges.bits, size=count), 16),
            noise=random.integers(2**62, size=count),
        )

    def _places(self, turns: Float64[np.ndarray, "batch 3 3"]) -> tuple[torch.Tensor, torch.Tensor]:
        """x and y of every pixel on the detector, in half fields, for cameras turned away from its middle."""
        back = torch.tensor(turns, dtype=torch.float32, device=self._device)
        x, y, z = torch.einsum("bji,jhw->ibhw", back, self._ways)
        ahead = float(self._ways[2, 0, 0])
        # What lies beside or behind the source is far off any detector.
        z = torch.where(z > 0.1 * ahead, z / ahead, 1e-3)
        return x / z, y / z

    def is_open(self, looks: Looks, places: Float64[np.ndarray, "batch n 2"]) -> Bool[np.ndarray, "batch n"]:
        """Whether places (half fields from the detector's middle, x right, y down) are on the detector and in the
        collimator's opening.
        """
        x, y = (places[..., axis, None] for axis in (0, 1))
        inside = _opened(looks, *(torch.tensor(v, dtype=torch.float32) for v in (x, y)))[..., 0].numpy()
        left, top, right, bottom = (side[:, None] for side in looks.detector.T)
        x, y = x[..., 0], y[..., 0]
        return (inside > 0) & (x > left) & (x < right) & (y > top) & (y < bottom)

    def apply(
        self,
        line_integrals: Float[torch.Tensor, "batch size size"],
        looks: Looks,
        turns: Float64[np.ndarray, "batch 3 3"],
    ) -> tuple[Float[torch.Tensor, "batch size size"], Bool[torch.Tensor, "batch size size"]]:
        """The images as they would be read from a file: line integrals of sorts, and what of them is usable.

        `turns` are camera_from_beam: how the camera is turned against the one that looks at the detector's middle.
        """

        def each(values: np.ndarray) -> Float[torch.Tensor, "batch 1 1"]:
            return torch.tensor(values, dtype=torch.float32, device=self._device)[:, None, None]

        beams = torch.tensor(looks.beams, device=self._device)
        through = line_integrals + each(looks.shadow_strength) * self._shadows[torch.tensor(looks.shadow)]
        primary = self._hardening.transmission(through, beams)
        x, y = self._places(turns)
        inside = _opened(looks, x, y)
        edge = (inside / self._pixel + 0.5).clamp(0, 1)
        open_fraction = _LEAK + (1 - _LEAK) * edge
        signal = primary * open_fraction + each(looks.scatter) * self._scattered(primary, open_fraction, beams)
        signal = self._noisy(signal, looks)
        glare = each(looks.glare)
        signal = (1 - glare) * signal + glare * self._blurred(signal, [(1.0, self._stray)])
        signal = signal * (1 - each(looks.vignetting) * 0.5 * (x * x + y * y)).clamp(min=0.1)
        grey = self._displayed(each(looks.exposure) * signal, looks, each(looks.gamma))
        levels = 2.0 ** each(looks.bits) - 1
        grey = torch.round(grey * levels).clamp(min=0.5) / levels
        left, top, right, bottom = (each(side) for side in looks.detector.T)
        mask = (x > left) & (x < right) & (y > top) & (y < bottom)
        found = torch.tensor(looks.collimation_found, device=self._device)[:, None, None]
        mask = mask & ((inside > 0) | ~found)
        return -torch.log(grey), mask

    def _blurred(
        self, image: Float[torch.Tensor, "batch size size"], parts: list[tuple[float, torch.Tensor]]
    ) -> Float[torch.Tensor, "batch size size"]:
        blocks = torch.nn.functional.avg_pool2d(image[:, None], _BLOCK, ceil_mode=True, count_include_pad=False)[:, 0]
        spread = torch.zeros_like(blocks)
        for weight, matrix in parts:
            spread = spread + weight * (matrix @ blocks @ matrix.T)
        whole = [_BLOCK * n for n in blocks.shape[1:]]
        fine = torch.nn.functional.interpolate(spread[:, None], whole, mode="bilinear", align_corners=False)[:, 0]
        return fine[:, : self._size, : self._size]

    def _scattered(
        self,
        primary: Float[torch.Tensor, "batch size size"],
        open_fraction: Float[torch.Tensor, "batch size size"],
        beams: Int[torch.Tensor, "batch"],
    ) -> Float[torch.Tensor, "batch size size"]:
        """Scatter for a scatter-to-primary ratio of 1, as `xray.simulator.scatter` defines it."""
        reference = torch.full(
            (len(beams), 1, 1), _SCATTER.reference_water_mm * WATER_ATTENUATION_PER_MM, device=self._device
        )
        water = self._hardening.transmission(reference, beams)
        a, b = _SCATTER.primary_exponent, _SCATTER.path_exponent

        def potential(p: torch.Tensor) -> torch.Tensor:
            p = p.clamp(1e-9, 1)
            return p**a * (-p.log()) ** b

        part = _SCATTER.far_fraction
        centre = _SCATTER._within_square(150.0)
        source = water / (centre * potential(water)) * potential(primary) * open_fraction
        return self._blurred(source, [(1 - part, self._near), (part, self._far)])

    def _noisy(self, signal: Float[torch.Tensor, "batch size size"], looks: Looks) -> torch.Tensor:
        quanta = looks.kerma * self._hardening.quanta_per_mm2_per_nanogray[looks.beams] * self._pixel_mm**2
        per_pixel = torch.tensor(quanta, dtype=torch.float32, device=self._device)[:, None, None]
        return (signal + self._normal(looks.noise, signal.shape[1:]) * (signal / per_pixel).sqrt()).clamp(min=0)

    def _normal(self, seeds: Int[np.ndarray, "batch"], shape: torch.Size) -> Float[torch.Tensor, "batch size size"]:
        """Normally distributed numbers, a stream of its own for each image, whichever process it is made in.

        numpy's are the same in every version of torch.
        """
        if self._device.type == "cuda":
            # The processor would take longer to draw them than a GPU to learn from them.
            streams = [torch.Generator(self._device).manual_seed(int(seed)) for seed in seeds]
            return torch.stack([torch.randn(shape, device=self._device, generator=stream) for stream in streams])
        noise = np.stack([np.random.default_rng(n).standard_normal(shape, dtype=np.float32) for n in seeds])
        return torch.from_numpy(noise).to(self._device)

    def _displayed(self, x: torch.Tensor, looks: Looks, gamma: torch.Tensor) -> torch.Tensor:
        """Grey values 0 … 1, by the curves of `xray.simulator.display`."""
        x = x.clamp(0, 1)
        which = torch.tensor(looks.curve, device=self._device)[:, None, None]
        shapes = {
            "linear": x,
            "square-root": x.sqrt(),
            "logarithmic": torch.log1p(1000 * x) / np.log(1001),
            "sigmoid": 1.04 * x * x / (x * x + 0.04),
        }
        curved = x
        for number, curve in enumerate(self._ranges.curves):
            curved = torch.where(which == number, shapes[curve.value], curved)
        return curved**gamma


def _opened(
    looks: Looks, x: Float[torch.Tensor, "batch size size"], y: Float[torch.Tensor, "batch size size"]
) -> Float[torch.Tensor, "batch size size"]:
    """How far inside of the collimator's nearest edge each place is, in half fields."""
    planes = torch.tensor(looks.opening, dtype=torch.float32, device=x.device)[:, :, :, None, None]
    inside = torch.full_like(x, 1e3)
    for plane in planes.unbind(1):
        inside = torch.minimum(inside, plane[:, 2] - plane[:, 0] * x - plane[:, 1] * y)
    circle = torch.tensor(looks.radius, dtype=torch.float32, device=x.device)[:, :, None, None]
    return torch.minimum(inside, circle[:, 2] - torch.hypot(x - circle[:, 0], y - circle[:, 1]))
