"""Write names.json from the names recorded in a running Slicer.

In Testing/gui: `python -m slicer_stand_in.record_names slicer_api.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .recorded_names import NAMES, OFFERED, WITHOUT_MEMBERS


def entry(of_class: Any) -> dict[str, str]:
    """What is kept of one class: its names in one line, and from which class it has further ones."""
    if isinstance(of_class, list):
        return {"names": " ".join(of_class)}
    return {"extends": of_class["extends"], "names": " ".join(of_class["names"])}


def trimmed(api: dict[str, Any]) -> dict[str, Any]:
    """The part of a recording that belongs to the classes which the stand-in offers."""
    missing = [name for name in WITHOUT_MEMBERS if name not in api["qt"]["names"]]
    assert not missing, f"not in the recording: {missing}"
    kept: dict[str, Any] = {"application": api["application"]}
    for kit, names in OFFERED.items():
        kept[kit] = {name: entry(api[kit]["classes"][name]) for name in names}
    kept["slicer"]["qSlicerApplication"] = entry(api["slicer"]["app"])
    kept["kits"] = {kit: " ".join(api[kit]["names"]) for kit in ("qt", "ctk")}
    kept["python"] = {
        name: api["python"][name]
        for name in ("slicer.ScriptedLoadableModule", "slicer.parameterNodeWrapper", "slicer.i18n", "slicer.packaging")
    }
    kept["python"]["SampleData"] = {name: api["python"]["SampleData"][name] for name in ("SampleDataLogic",)}
    return kept


def main(recording: Path) -> None:
    """Write names.json, a line a class."""
    lines = []
    for key, value in trimmed(json.loads(recording.read_text(encoding="utf-8"))).items():
        if key in ("qt", "ctk", "slicer", "kits", "python"):
            inner = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value[name])}" for name in sorted(value))
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    NAMES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
