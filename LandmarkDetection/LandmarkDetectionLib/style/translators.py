"""The networks of both ways of learning a translation, and what they are to lessen."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from .discriminator import Discriminator, judged_as, judged_by_frozen
from .generator import Generator, GeneratorForm
from .gradient_consistency import gradient_inconsistency
from .image_pool import ImagePool

Tones = Float[torch.Tensor, "batch 1 size size"]


class Translator(Protocol):
    """Networks that learn to translate, `to_drr` from X-rays to DRRs."""

    to_drr: Generator

    @abstractmethod
    def loss(self, xrays: Tones, drrs: Tones, random: np.random.Generator) -> Float[torch.Tensor, ""]:
        """What is to be lessened for unpaired images of both looks."""
        ...


class CycleGan(nn.Module):
    """Both ways at once: there and back must give the image again (Zhu et al., ICCV 2017), and edges must stay."""

    # The identity holds a translation back that is one of tones alone; a tenth of the usual weight does not.
    CYCLE, IDENTITY, GRADIENT = 3.0, 0.3, 1.0

    def __init__(self, form: GeneratorForm) -> None:
        super().__init__()
        self.to_drr, self.to_xray = Generator(form), Generator(form)
        self.of_drr, self.of_xray = Discriminator(), Discriminator()
        self._drrs, self._xrays = ImagePool(), ImagePool()

    def loss(self, xrays: Tones, drrs: Tones, random: np.random.Generator) -> Float[torch.Tensor, ""]:
        """Least squares of both discriminators and, by discriminators that stand still, of both generators; cycles;
        images that have the look already must stay.
        """
        # One pass for what is translated and what must stay.
        as_drr, drr_again = self.to_drr(torch.cat([xrays, drrs])).split([len(xrays), len(drrs)])
        as_xray, xray_again = self.to_xray(torch.cat([drrs, xrays])).split([len(drrs), len(xrays)])
        real = judged_by_frozen(self.of_drr, as_drr) + judged_by_frozen(self.of_xray, as_xray)
        cycle = (self.to_xray(as_drr) - xrays).abs().mean() + (self.to_drr(as_xray) - drrs).abs().mean()
        identity = (drr_again - drrs).abs().mean() + (xray_again - xrays).abs().mean()
        edges = gradient_inconsistency(xrays, as_drr) + gradient_inconsistency(drrs, as_xray)
        told = _told_apart(self.of_drr, drrs, self._drrs.exchanged(as_drr, random))
        told = told + _told_apart(self.of_xray, xrays, self._xrays.exchanged(as_xray, random))
        return real + self.CYCLE * cycle + self.IDENTITY * identity + self.GRADIENT * edges + told


class ContrastiveTranslation(nn.Module):
    """One way alone: a place of the translated image must resemble its own place of the original more than any other
    one of it (CUT; Park et al., ECCV 2020). Half the networks of a CycleGAN.
    """

    CONTRAST, TEMPERATURE, PLACES, FEATURES = 1.0, 0.07, 128, 64

    def __init__(self, form: GeneratorForm) -> None:
        super().__init__()
        self.to_drr, self.of_drr = Generator(form), Discriminator()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(width, self.FEATURES), nn.ReLU(), nn.Linear(self.FEATURES, self.FEATURES))
            for width in self.to_drr.widths
        )
        self._drrs = ImagePool()

    def loss(self, xrays: Tones, drrs: Tones, random: np.random.Generator) -> Float[torch.Tensor, ""]:
        """Least squares as in `CycleGan`; contrast of what is translated, and of DRRs, which must stay."""
        as_drr, drr_again = self.to_drr(torch.cat([xrays, drrs])).split([len(xrays), len(drrs)])
        contrast = self._contrast(xrays, as_drr, random) + self._contrast(drrs, drr_again, random)
        told = _told_apart(self.of_drr, drrs, self._drrs.exchanged(as_drr, random))
        return judged_by_frozen(self.of_drr, as_drr) + self.CONTRAST * 0.5 * contrast + told

    def _contrast(self, before: Tones, after: Tones, random: np.random.Generator) -> Float[torch.Tensor, ""]:
        """Cross entropy of finding each place's own among places of the same image, a mean over all scales."""
        with torch.no_grad():
            known = self.to_drr.features(before)
        losses = []
        for project, old, new in zip(self.projections, known, self.to_drr.features(after), strict=True):
            cells = old.shape[2] * old.shape[3]
            places = torch.from_numpy(random.permutation(cells)[: self.PLACES]).to(old.device)
            own, found = (
                nn.functional.normalize(project(maps.flatten(2)[..., places].transpose(1, 2)), dim=-1)
                for maps in (old, new)
            )
            alike = found @ own.detach().transpose(1, 2) / self.TEMPERATURE
            right = torch.arange(alike.shape[1], device=alike.device).expand(len(alike), -1)
            losses.append(nn.functional.cross_entropy(alike.flatten(0, 1), right.flatten()))
        return torch.stack(losses).mean()


METHODS = {"cyclegan": CycleGan, "cut": ContrastiveTranslation}


def _told_apart(discriminator: Discriminator, real: Tones, translated: Tones) -> Float[torch.Tensor, ""]:
    return 0.5 * (judged_as(discriminator, real, True) + judged_as(discriminator, translated, False))
