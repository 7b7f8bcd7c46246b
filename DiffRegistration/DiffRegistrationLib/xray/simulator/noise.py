"""Quantum noise and the noise of the electronics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .limits import check_positive, check_within


@dataclass(frozen=True)
class QuantumNoise:
    """Noise of an image that is taken with `air_kerma_nanogray` at the detector in the open field.

    `electronic_quanta` is the standard deviation of the electronics' noise in a pixel, in quanta of the image's mean
    signal per quantum. ValueError for a kerma that is not positive or a negative noise.
    """

    air_kerma_nanogray: float
    electronic_quanta: float = 0.0

    def __post_init__(self) -> None:
        check_positive("air_kerma_nanogray", self.air_kerma_nanogray, "nGy")
        check_within("electronic_quanta", self.electronic_quanta, 0)

    def apply(
        self,
        signal: Float64[np.ndarray, "rows columns"],
        quanta_per_nanogray: Float64[np.ndarray, "rows columns"],
        generator: np.random.Generator,
    ) -> Float64[np.ndarray, "rows columns"]:
        """`signal` with noise; its mean stays, its variance becomes signal²/quanta plus the electronics'.

        `quanta_per_nanogray` are the effective quanta, mean²/variance of the energy that a pixel absorbs per nGy of
        air kerma in the open field: a Poisson number of equal quanta then has the mean and the variance of the quanta
        of all energies (Swank, J Appl Phys 44:4199, 1973). Electronic noise may carry a dark pixel below 0. ValueError
        for negative quanta.
        """
        if not quanta_per_nanogray.min() >= 0:
            raise ValueError("quanta_per_nanogray must be at least 0 everywhere")
        quanta = self.air_kerma_nanogray * quanta_per_nanogray
        signal_per_quantum = np.divide(signal, quanta, out=np.zeros_like(quanta), where=quanta > 0)
        noisy = signal_per_quantum * generator.poisson(quanta)
        if self.electronic_quanta > 0:
            electronic = self.electronic_quanta * signal.sum() / max(quanta.sum(), np.finfo(np.float64).tiny)
            noisy += electronic * generator.standard_normal(signal.shape)
        return noisy
