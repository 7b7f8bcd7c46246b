"""The figures of an evaluation, against ones computed by hand and published ones."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.evaluation.capture_range import StartDistance, capture_range, equal_count_edges
from DiffRegistrationLib.evaluation.comparison import compared
from DiffRegistrationLib.evaluation.confidence import wilson_interval
from DiffRegistrationLib.evaluation.figures_in_words import headline, shown
from DiffRegistrationLib.evaluation.outcome import NONE, Outcome
from DiffRegistrationLib.evaluation.summary import groups, summary
from DiffRegistrationLib.evaluation.target import Target
from DiffRegistrationLib.evaluation.verdict_chart import verdict_counts
from made_up_outcomes import outcome, realistic

# mTRE and verdict of five cases.
FIVE = ((0.5, "accepted"), (0.9, "doubtful"), (1.5, "accepted"), (4.0, "accepted"), (30.0, "failed"))


def five(**other: object) -> list[Outcome]:
    return [outcome(case, mtre, verdict, **other) for case, (mtre, verdict) in enumerate(FIVE)]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17:857–872 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_s_interval_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_an_interval_needs_a_trial() -> None:
    with pytest.raises(ValueError, match="0 successes of 0 trials"):
        wilson_interval(0, 0)
    assert wilson_interval(0, 7)[0] == 0.0 and wilson_interval(7, 7)[1] == 1.0


def test_every_error_of_five_cases_is_the_one_computed_by_hand() -> None:
    depths = (1.0, -2.0, 3.0, -4.0, 12.0)
    cases = [
        outcome(
            case,
            mtre,
            verdict,
            depth_mm=depths[case],
            in_plane_mm=0.1 * case,
            rotation_deg=float(case),
            seconds=1.0 + case,
            mpe_mm=None if case == 2 else float(case),
        )
        for case, (mtre, verdict) in enumerate(FIVE)
    ]
    found = summary(cases)
    assert found["cases"] == 5
    assert (found["median_mtre_mm"], found["mean_mtre_mm"]) == (1.5, pytest.approx(36.9 / 5))
    # Percentile 95 of five lies 0.8 of the way from the fourth to the fifth.
    assert found["p95_mtre_mm"] == pytest.approx(4 + 0.8 * 26)
    assert (found["under_1mm"], found["under_2mm"], found["under_5mm"]) == (0.4, 0.6, 0.8)
    assert found["gross_failure_rate"] == 0.2
    assert found["under_2mm_ci95"] == list(wilson_interval(3, 5))
    assert found["gross_failure_rate_ci95"] == list(wilson_interval(1, 5))
    assert (found["median_depth_mm"], found["mean_signed_depth_mm"]) == (3.0, 2.0)
    assert found["p95_depth_mm"] == pytest.approx(4 + 0.8 * 8)
    assert (found["median_in_plane_mm"], found["p95_in_plane_mm"]) == (pytest.approx(0.2), pytest.approx(0.38))
    assert (found["median_rotation_deg"], found["p95_rotation_deg"]) == (2.0, pytest.approx(3.8))
    assert (found["median_seconds"], found["p95_seconds"]) == (3.0, pytest.approx(4.8))
    assert found["median_mpe_mm"] == 2.0, "the median of 0, 1, 3 and 4; the case without one is left out"
    assert found["median_mrpe_mm"] == 0.15


def test_verdicts_are_counted_against_the_truth() -> None:
    found = summary(five())
    assert (found["accepted"], found["doubtful"], found["failed"]) == (3, 1, 1)
    assert (found["over_2mm_accepted"], found["gross_failures_accepted"]) == (1, 0)
    assert found["accepted_of_under_1mm"] == 0.5
    assert verdict_counts(five()).tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert summary([outcome(0, 11.0)])["gross_failures_accepted"] == 1
    assert summary([outcome(0, 11.0)])["accepted_of_under_1mm"] is None


def test_what_a_method_does_not_give_is_none_not_nought() -> None:
    found = summary([outcome(0, 0.5, None, method="peer", mpe_mm=None)])
    assert found["median_mpe_mm"] is None
    assert all(found[key] is None for key in ("accepted", "doubtful", "failed", "over_2mm_accepted"))


def test_an_error_that_is_no_number_does_not_pass_for_a_success() -> None:
    with pytest.raises(ValueError, match="case 7 of ours, near: mtre_mm is nan"):
        summary([outcome(7, float("nan"))])


def test_methods_starts_and_repeated_cases_are_not_mixed() -> None:
    with pytest.raises(ValueError, match=r"'ours, near', 'ours, none'"):
        summary([outcome(0), outcome(1, start=NONE)])
    with pytest.raises(ValueError, match="more than once"):
        summary([outcome(0), outcome(0)])
    with pytest.raises(ValueError, match="one method"):
        summary([])
    assert {name: len(found) for name, found in groups(realistic(10)).items()} == {
        "ours, near": 10,
        "nanodrr, near": 10,
        "ours, none": 10,
    }


def test_the_capture_range_counts_successes_by_distance() -> None:
    # Starts 1 … 8 mm off; those up to 4 succeed, 5 and 6 are near misses, 7 and 8 gross failures.
    errors = (0.5, 0.5, 0.5, 0.5, 5.0, 5.0, 40.0, 40.0)
    cases = [outcome(i, mtre, start_mtre_mm=i + 1.0, start_depth_mm=-(i + 1.0)) for i, mtre in enumerate(errors)]
    for distance in (StartDistance.MTRE, StartDistance.DEPTH):
        curve = capture_range(cases, distance, equal_count_edges(cases, distance, 4))
        assert [part.cases for part in curve] == [2, 2, 2, 2]
        assert [part.middle for part in curve] == [1.5, 3.5, 5.5, 7.5]
        assert [part.under_2mm for part in curve] == [1, 1, 0, 0]
        assert [part.no_gross_failure for part in curve] == [1, 1, 1, 0]
        assert curve[0].interval == wilson_interval(2, 2)
    same = capture_range(cases, StartDistance.ROTATION, equal_count_edges(cases, StartDistance.ROTATION, 4))
    assert [(part.cases, part.under_2mm) for part in same] == [(8, 0.5)], "all begin 5° off: one bin"
    assert capture_range(cases, StartDistance.MTRE, np.array([20.0, 30.0])) == []
    with pytest.raises(ValueError, match="no start_mtre_mm"):
        capture_range([outcome(0, start_mtre_mm=None)], StartDistance.MTRE, np.array([0.0, 1.0]))


def test_methods_are_compared_on_the_cases_that_both_had() -> None:
    ours = [outcome(case, 0.5, seconds=1.0 + case) for case in range(4)]
    peer = [outcome(case, 20.0, None, method="peer", seconds=seconds) for case, seconds in ((1, 20.0), (2, 60.0))]
    peer += [outcome(3, 0.4, None, method="peer", seconds=16.0), outcome(9, 0.1, None, method="peer", seconds=1e4)]
    found = compared(ours, peer)
    assert found["cases"] == 3
    # Ratios 10, 20 and 4.
    assert found["median_seconds_ratio"] == 10
    assert found["closer"] == pytest.approx(2 / 3)
    assert (found["ours_median_seconds"], found["peer_median_seconds"]) == (3.0, 20.0)
    assert (found["ours_median_mtre_mm"], found["peer_median_mtre_mm"]) == (0.5, 20.0)
    assert (found["ours_gross_failure_rate"], found["peer_gross_failure_rate"]) == (0.0, pytest.approx(2 / 3))
    with pytest.raises(ValueError, match="share no case"):
        compared(ours, peer[-1:])


def test_figures_are_rounded_so_that_only_all_reads_as_all() -> None:
    assert shown(1.0, " %") == "100 %" and shown(0.9996, " %") == "> 99.9 %" and shown(0.0004, " %") == "< 0.1 %"
    assert shown(0.0, " %") == "0 %" and shown(0.975, " %") == "97.5 %"
    assert shown(0.0412, " mm") == "0.041 mm" and shown(12.345, " mm") == "12.35 mm" and shown(312.4, " s") == "312 s"
    assert shown(-0.5, " mm") == "−0.50 mm" and shown(-0.0001, " mm") == "0.000 mm" and shown(None, "") == "–"


def test_the_first_sentence_tells_figures_and_targets() -> None:
    suite = {"name": "head-ap", "version": 1}
    targets = [Target("median mTRE", 1.0, 1.5, " mm"), Target("less than 2 mm off", 50, 60.0, " %", at_least=True)]
    sentence = headline("ours, near", summary(five()), suite, targets)
    assert sentence == (
        "Of 5 cases of the suite head-ap 1, “ours, near” brings 60.0 % to less than 2 mm (95 % interval 23.1–88.2 %), "
        "with a median mTRE of 1.50 mm, a 95th percentile of 24.80 mm and 20.0 % gross failures (95 % interval "
        "3.6–62.4 %), in 0.30 s a case (median); 1 of 2 targets are met, missed: median mTRE."
    )
    assert headline("ours, near", summary(five()), suite, targets[1:]).endswith("its one target is met.")
    assert headline("ours, near", summary(five()), suite, ()).endswith("no targets were set.")
    assert not Target("x", 1.0, float("nan"), "").met
