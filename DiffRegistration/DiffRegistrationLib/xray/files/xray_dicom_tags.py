"""DICOM attributes as one frame sees them, wherever the object keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset


def tag_name(keyword: str) -> str:
    """ "(0018,1110) DistanceSourceToDetector", as messages and provenance name a tag."""
    from pydicom.datadict import tag_for_keyword

    number = tag_for_keyword(keyword)
    assert number is not None
    return f"({number >> 16:04X},{number & 0xFFFF:04X}) {keyword}"


class FrameTags:
    """Attributes of frame `frame` (from 0): its own functional groups first, then the shared ones, then the top level.

    Empty values count as absent. Values that are no numbers where numbers belong raise InputError.
    """

    def __init__(self, dataset: Dataset, frame: int, subject: object) -> None:
        self.dataset = dataset
        self.frame = frame
        self.subject = subject
        groups = []
        per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
        if frame < len(per_frame):
            groups.append(per_frame[frame])
        groups += list(dataset.get("SharedFunctionalGroupsSequence") or [])
        self._places = [
            item for group in groups for element in group if element.VR == "SQ" for item in (element.value or [])
        ]
        self._places.append(dataset)

    def value(self, keyword: str) -> Any:
        """The attribute as pydicom gives it, None if absent or empty."""
        for place in self._places:
            try:
                found = place.get(keyword)
            except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
                raise InputError(
                    self.subject, f"{tag_name(keyword)} cannot be read", "Correct the tag or export the image anew."
                ) from error
            if found is not None and not (hasattr(found, "__len__") and len(found) == 0):
                return found
        return None

    def text(self, keyword: str) -> str | None:
        """The attribute as upper-case text without blanks around it."""
        found = self.value(keyword)
        return str(found).strip().upper() or None if found is not None else None

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values of the attribute as upper-case text; () if absent."""
        found = self.value(keyword)
        if found is None:
            return ()
        values = [found] if isinstance(found, str) else found
        return tuple(str(value).strip().upper() for value in values)

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """All values of the attribute as numbers."""
        found = self.value(keyword)
        if found is None:
            return None
        values = [found] if isinstance(found, str) or not hasattr(found, "__len__") else found
        try:
            return tuple(float(value) for value in values)
        except (ValueError, TypeError) as error:
            raise InputError(
                self.subject, f"{tag_name(keyword)} is no number", "Correct the tag or export the image anew."
            ) from error

    def number(self, keyword: str) -> float | None:
        """The only value of the attribute as a number; InputError if there are several."""
        found = self.numbers(keyword)
        if found is None:
            return None
        if len(found) != 1:
            raise InputError(
                self.subject,
                f"{tag_name(keyword)} has {len(found)} values, expected one",
                "Correct the tag or export the image anew.",
            )
        return found[0]

    def positive(self, keyword: str) -> float | None:
        """A length in mm or a factor; zero and less stand for "unknown" and give None."""
        found = self.number(keyword)
        return found if found is not None and found > 0 else None

    def pair(self, keyword: str) -> tuple[float, float] | None:
        """Two values, (of rows, of columns); InputError if there is another number of them."""
        found = self.numbers(keyword)
        if found is None:
            return None
        if len(found) != 2:
            raise InputError(
                self.subject,
                f"{tag_name(keyword)} has {len(found)} values, expected two (rows, columns)",
                "Correct the tag or export the image anew.",
            )
        return found[0], found[1]

    def positive_pair(self, keyword: str) -> tuple[float, float] | None:
        """Two positive lengths (of rows, of columns) in mm; zeros stand for "unknown" and give None."""
        found = self.pair(keyword)
        return found if found is not None and min(found) > 0 else None
