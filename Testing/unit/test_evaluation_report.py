"""The page of an evaluation: that it holds what it should, and that a browser shows and sorts it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.evaluation.curve_charts import cumulative_errors
from DiffRegistrationLib.evaluation.outcome import NONE, Outcome
from DiffRegistrationLib.evaluation.report import write_evaluation_report
from DiffRegistrationLib.evaluation.robustness import RobustnessRow
from DiffRegistrationLib.evaluation.summary import groups, summary
from DiffRegistrationLib.evaluation.target import Target
from DiffRegistrationLib.evaluation.worst import WorstCase, worst_case
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from made_up_outcomes import outcome, realistic
from page_in_browser import opened

SUITE = {
    "name": "head-ap",
    "version": 1,
    "description": "Simulated X-rays <of> a head",
    "subject": "computed head",
    "seed": 7,
}
MACHINE = {"date": "2024-06-07", "processor": "Some CPU", "cores": 2, "packages": {"numpy": "2.0.1", "numba": "0.61"}}
GREY = np.full((30, 40, 3), 90, dtype=np.uint8)
WORST = WorstCase(5, "ours, from 60 mm off", "failed", (("X-ray", GREY), ("Overlay of the result", GREY)))


def written(path: Path, outcomes: list[Outcome], **other: object) -> str:
    write_evaluation_report(
        path,
        **{  # type: ignore[arg-type]
            "suite": SUITE,
            "summaries": {name: summary(members) for name, members in groups(outcomes).items()},
            "outcomes": outcomes,
            "worst": [WORST],
            "machine": MACHINE,
            "command": "fluororeg evaluate head-ap",
            **other,
        },
    )
    return path.read_text(encoding="utf-8")


# What a reader would do: sort by mPE twice (the largest comes first, the absent last), and enlarge a picture.
HANDS = """<script>
window.addEventListener("load", function () {
  var table = document.querySelector(".cases table"), seen = [];
  function cell(row, column) { return row.cells[column].textContent.trim(); }
  var headings = Array.from(table.tHead.rows[0].cells);
  var heading = headings.findIndex(function (one) { return one.textContent.trim() === "mPE"; });
  var button = table.tHead.rows[0].cells[heading].querySelector("button");
  seen.push(cell(table.tBodies[0].rows[0], 4));
  button.click(); seen.push(cell(table.tBodies[0].rows[0], heading));
  button.click(); seen.push(cell(table.tBodies[0].rows[0], heading));
  seen.push(cell(table.tBodies[0].rows[table.tBodies[0].rows.length - 1], heading));
  document.querySelector("figure button").click(); seen.push(document.querySelector("figure").className);
  var links = Array.from(document.querySelectorAll(".chart a"));
  function leads(link) { return document.getElementById(link.getAttribute("href").slice(1)) !== null; }
  seen.push(links.length > 0 && links.every(leads));
  var names = Array.from(document.querySelectorAll("[id]")).map(function (one) { return one.id; });
  seen.push(names.length - new Set(names).size);
  document.body.dataset.hands = seen.join(" ");
});
</script></body>"""


def test_a_browser_shows_the_page_and_sorts_its_table(tmp_path: Path) -> None:
    outcomes = realistic(40)
    path = tmp_path / "evaluation.html"
    page = written(path, outcomes)
    body, _ = opened(path, page, HANDS)
    assert 'data-pictures="2/2"' in body
    assert 'data-errors="0"' in body
    worst = max(one.mtre_mm for one in outcomes)
    projected = sorted(one.mpe_mm for one in outcomes if one.mpe_mm is not None)
    done = f"{worst:.2f} {projected[0]:.2f} {projected[-1]:.2f} – large true 0"
    assert f'data-hands="{done}"' in body


def test_the_page_holds_every_part_and_needs_no_network(tmp_path: Path) -> None:
    outcomes = realistic(30)
    row = RobustnessRow("rod", "a metal rod", summary([one for one in outcomes if one.start == NONE]))
    unjudged = RobustnessRow("blur", "a larger focus", summary([one for one in outcomes if one.method == "nanodrr"]))
    targets = (Target("median mTRE", 1.0, 0.4, " mm"), Target("gross failures", 1.0, 9.0, " %"))
    page = written(tmp_path / "e.html", outcomes, targets=targets, robustness=[row, unjudged])
    assert [item.name for item in tmp_path.iterdir()] == ["e.html"]
    assert "1 of 2 targets are met, missed: gross failures" in page and 'class="result failed"' in page
    assert page.index("1 of 2 targets") < page.index("All figures") < page.index("Capture range")
    assert page.index("Capture range") < page.index("Can the verdicts be believed?") < page.index("metal rod")
    assert page.index("metal rod") < page.index("The worst cases") < page.index("All cases")
    assert page.index("All cases") < page.index("fluororeg evaluate head-ap")
    assert "ours, near beside nanodrr, near" in page
    assert "numpy 2.0.1, numba 0.61" in page and "2024-06-07" in page and "Simulated X-rays &lt;of&gt; a head" in page
    assert page.count('<tr id="') == len(outcomes)
    assert page.count('<svg class="chart"') == 6
    # Text stays text, and every colour of a chart is one of the page's.
    charts = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert ">mTRE of the start (mm)</text>" in charts and not re.search('#[0-9a-f]{6}[;"]', charts)
    assert set(re.findall(r"var\((--[\w-]+)\)", charts)) <= set(re.findall(r"(--[\w-]+):", page))
    assert re.findall(r'(?:src|href)\s*=\s*"(?!data:image/jpeg;base64,|#)', page) == []
    assert "://" not in page


def test_a_method_without_starts_or_verdicts_still_gets_its_page(tmp_path: Path) -> None:
    unknown = dict.fromkeys(("start_rotation_deg", "start_in_plane_mm", "start_depth_mm", "start_mtre_mm"))
    page = written(tmp_path / "e.html", [outcome(0, 0.0, None, start=NONE, **unknown)], worst=[])
    assert page.count('<svg class="chart"') == 3
    assert "Can the verdicts be believed?" not in page and "The worst cases" not in page
    assert "no targets were set" in page


def test_a_chart_looks_the_same_each_time() -> None:
    assert cumulative_errors(realistic(25)) == cumulative_errors(realistic(25))


def test_what_is_missing_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    outcomes = [outcome(0)]
    with pytest.raises(ValueError, match="the suite tells no subject, seed"):
        written(tmp_path / "e.html", outcomes, suite={"name": "a", "version": 1, "description": ""})
    with pytest.raises(ValueError, match="summaries of"):
        written(tmp_path / "e.html", outcomes, summaries={})
    with pytest.raises(InputError, match="no folder"):
        written(tmp_path / "none" / "e.html", outcomes)
    assert list(tmp_path.iterdir()) == []


def test_a_case_s_pictures_show_start_and_result() -> None:
    index = np.indices((24, 24, 24)) - 11.5
    ball = np.where((index**2).sum(axis=0) < 64, 1000.0, -1000.0)
    ball[16:, 4:8, 12:] = 2000.0
    ct = CT.from_hounsfield(ball.astype(np.float32), rigid.rigid(4 * np.eye(3), [-46.0, -46.0, -46.0]))
    K = np.array([[500.0, 0, 31.5], [0, 500.0, 31.5], [0, 0, 1]])
    camera = PinholeCamera(K, rigid.rigid(np.eye(3), [0, 0, 700]), (64, 64), (2.0, 2.0))
    projector = Projector(ct)
    seen = projector.render(camera.rays(), np.eye(4))[0].reshape(camera.size)
    radiograph = Radiograph(seen, np.ones(camera.size, dtype=bool), camera)
    start = rigid.rigid(np.eye(3), [30.0, 0, 0])
    shown = worst_case(projector, [radiograph], outcome(3, 12.34, "doubtful", pose=np.eye(4).tolist()), start)
    assert (shown.case, shown.verdict) == (3, "doubtful")
    assert shown.caption == (
        "ours, from 25 mm off: 12.3 mm off (0.1°, 0.1 mm in-plane, 0.4 mm in depth). Edges agree to 0.91."
    )
    assert [title for title, _ in shown.pictures] == [
        "X-ray",
        "Overlay at the start",
        "Overlay of the result",
        "DRR edges of the result",
    ]
    colour = [np.abs(picture[..., 0].astype(int) - picture[..., 1]).max() for _, picture in shown.pictures]
    assert colour[0] == 0 and colour[1] > 100 and colour[2] < 3, "at the truth X-ray and DRR agree: all is grey"
    both = worst_case(projector, [radiograph] * 2, outcome(), None)
    assert [title for title, _ in both.pictures][3:] == [
        "View 2: X-ray",
        "View 2: Overlay of the result",
        "View 2: DRR edges of the result",
    ]
