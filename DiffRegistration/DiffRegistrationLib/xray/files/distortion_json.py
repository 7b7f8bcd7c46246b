"""The distortion of an image as a field of our camera files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry.lens_distortion import BrownDistortion, LensDistortion, PolynomialDistortion, number_of_terms
from ..provenance import Provenance
from .json_fields import JsonFields

_BROWN, _POLYNOMIAL = "brown-conrady", "polynomial"
QUANTITY = "distortion"


def distortion_to_json(distortion: LensDistortion) -> dict[str, Any]:
    """What a camera file holds of a distortion, ready for `json`."""
    if isinstance(distortion, BrownDistortion):
        return {
            "type": _BROWN,
            "k1_k2_k3": list(distortion.radial),
            "p1_p2": list(distortion.tangential),
            "focal_length_u_v_px": list(distortion.focal_length),
            "centre_u_v_px": list(distortion.centre),
        }
    if isinstance(distortion, PolynomialDistortion):
        return {
            "type": _POLYNOMIAL,
            "degree": distortion.degree,
            "centre_u_v_px": [float(c) for c in distortion.centre],
            "scale_px": float(distortion.scale),
            "coefficients_u_px": distortion.coefficients[:, 0].tolist(),
            "coefficients_v_px": distortion.coefficients[:, 1].tolist(),
        }
    raise TypeError(f"no file format for a {type(distortion).__name__}")


def distortion_from_json(path: str | Path, content: Any) -> LensDistortion:
    """The distortion that `distortion_to_json` wrote; InputError about `path` naming what is missing or wrong."""
    if not isinstance(content, dict):
        raise InputError(path, "the field “distortion” is no object", "Write its type and numbers, or leave it out.")
    fields = JsonFields(path, content)
    kind = fields.get("type")
    try:
        if kind == _BROWN:
            return BrownDistortion(
                fields.numbers("k1_k2_k3", 3),
                fields.numbers("p1_p2", 2),
                fields.numbers("focal_length_u_v_px", 2),
                fields.numbers("centre_u_v_px", 2),
            )
        if kind == _POLYNOMIAL:
            (degree,) = fields.whole_numbers("degree", 1)
            terms = number_of_terms(degree)
            columns = [fields.numbers(f"coefficients_{axis}_px", terms) for axis in "uv"]
            (scale,) = fields.numbers("scale_px", 1)
            return PolynomialDistortion(np.array(columns).T, fields.numbers("centre_u_v_px", 2), scale)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"the numbers are no distortion: {error}", "Correct them or leave it out.") from None
    raise InputError(path, f"distortion type “{kind}”", f"Expected “{_BROWN}” or “{_POLYNOMIAL}”.")


def distortion_line(distortion: LensDistortion, origin: str) -> Provenance:
    """A distortion in words."""
    if isinstance(distortion, BrownDistortion):
        numbers = ", ".join(f"{value:.4g}" for value in (*distortion.radial, *distortion.tangential))
        return Provenance(QUANTITY, f"Brown–Conrady, k1 k2 k3 p1 p2 = {numbers}", origin)
    if isinstance(distortion, PolynomialDistortion):
        return Provenance(QUANTITY, f"polynomial of degree {distortion.degree}", origin)
    raise TypeError(f"no words for a {type(distortion).__name__}")
