"""The published figures, against the same figures typed a second time."""

import subprocess
import sys
from collections import Counter

import pytest

from leo_tf.published import accuracies as published_accuracies
from leo_tf.published import reference


def accuracies(dataset, shot, source, crop="center"):
    return {
        r.method: (r.accuracy, r.interval)
        for r in reference.rows(dataset, shot)
        if r.source == source and r.crop == crop
    }


@pytest.mark.parametrize(
    ("dataset", "crop", "shot", "figures"),
    [
        ("miniImageNet", "center", 1, [(61.76, 0.08), (61.89, 0.16)]),
        ("miniImageNet", "center", 5, [(77.59, 0.12), (77.65, 0.09)]),
        ("tieredImageNet", "center", 1, [(66.33, 0.05), (66.25, 0.14)]),
        ("tieredImageNet", "center", 5, [(81.44, 0.09), (81.77, 0.09)]),
        ("miniImageNet", "multiview", 1, [(63.97, 0.20)]),
        ("miniImageNet", "multiview", 5, [(79.49, 0.70)]),
    ],
)
def test_leo_by_paper_then_by_released_code(dataset, crop, shot, figures):
    results = reference.published(dataset, crop, way=5, shot=shot)
    assert [(r.accuracy, r.interval) for r in results] == figures
    assert [r.source for r in results] == ["LEO paper", "LEO released code"][: len(figures)]


@pytest.mark.parametrize(
    "setting",
    [
        ("glyphs", "center", 5, 1),
        ("tieredImageNet", "multiview", 5, 1),
        ("miniImageNet", "center", 20, 1),
        ("miniImageNet", "center", 5, 10),
    ],
)
def test_nothing_published_for_other_settings(setting):
    assert reference.published(*setting) == []


def test_number_of_rows_of_each_table():
    counts = Counter((r.dataset, r.shot, r.source) for r in reference.rows())
    assert counts == {
        ("miniImageNet", 1, "LEO paper, other methods"): 13,
        ("miniImageNet", 5, "LEO paper, other methods"): 11,
        ("tieredImageNet", 1, "LEO paper, other methods"): 4,
        ("tieredImageNet", 5, "LEO paper, other methods"): 4,
        ("miniImageNet", 1, "LEO paper, ablations"): 6,
        ("miniImageNet", 5, "LEO paper, ablations"): 6,
        ("tieredImageNet", 1, "LEO paper, ablations"): 6,
        ("tieredImageNet", 5, "LEO paper, ablations"): 6,
        ("miniImageNet", 1, "LEO paper"): 2,
        ("miniImageNet", 5, "LEO paper"): 2,
        ("tieredImageNet", 1, "LEO paper"): 1,
        ("tieredImageNet", 5, "LEO paper"): 1,
        ("miniImageNet", 1, "LEO released code"): 1,
        ("miniImageNet", 5, "LEO released code"): 1,
        ("tieredImageNet", 1, "LEO released code"): 1,
        ("tieredImageNet", 5, "LEO released code"): 1,
    }


def test_ablations():
    tiered = accuracies("tieredImageNet", 5, "LEO paper, ablations")
    assert tiered == {
        "Meta-SGD (LEO's features)": (79.34, 0.06),
        "Conditional generator only": (78.77, 0.03),
        "Conditional generator + fine-tuning": (80.65, 0.07),
        "LEO (random prior)": (80.83, 0.13),
        "LEO (deterministic)": (82.06, 0.08),
        "LEO (no fine-tuning)": (80.89, 0.11),
    }
    mini = accuracies("miniImageNet", 1, "LEO paper, ablations")
    assert list(mini.values()) == [
        (54.24, 0.03),
        (60.33, 0.11),
        (60.62, 0.31),
        (61.01, 0.12),
        (61.48, 0.05),
        (61.62, 0.15),
    ]


def test_other_methods():
    mini = accuracies("miniImageNet", 5, "LEO paper, other methods", crop=None)
    assert mini["Matching networks"] == (55.31, 0.73)
    assert mini["Munkhdalai et al."] == (70.04, 0.63)
    assert mini["TADAM"] == (76.70, 0.30)
    assert "LLAMA" not in mini and "PLATIPUS" not in mini
    tiered = accuracies("tieredImageNet", 1, "LEO paper, other methods", crop=None)
    assert tiered == {
        "MAML (deeper net)": (51.67, 1.81),
        "Prototypical Nets": (53.31, 0.89),
        "Relation Net": (54.48, 0.93),
        "Transductive Prop. Nets": (57.41, 0.94),
    }


def test_rows_are_consistent():
    results = reference.rows()
    assert len(results) == 66
    assert len({(r.method, r.dataset, r.crop, r.shot, r.source) for r in results}) == 66
    assert all(40 < r.accuracy < 83 and 0 < r.interval < 2 for r in results)
    one_shot = {(r.method, r.dataset, r.crop, r.source): r.accuracy for r in reference.rows(shot=1)}
    for r in reference.rows(shot=5):
        assert r.accuracy > one_shot[r.method, r.dataset, r.crop, r.source] + 10
    cited = " ".join(r.citation for r in results)
    assert all(citation in cited for citation in published_accuracies.CITATIONS.values())


def run_command(*flags):
    command = [sys.executable, "-m", "leo_tf.reference", *flags]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)


def test_command_prints_aligned_tables_and_every_citation():
    done = run_command()
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    (mini,) = (line for line in lines if "SNAIL" in line)
    (header, *_) = (line for line in lines if "1-shot" in line)
    assert mini.index("55.71 ± 0.99") == header.index("1-shot")
    assert mini.index("68.88 ± 0.92") == header.index("5-shot")
    assert all(key in done.stdout for key in ("66.25 ± 0.14", "tieredImageNet", "ICLR 2019."))
    footnotes = [line for line in lines if line.lstrip().startswith("[")]
    assert len(footnotes) == len(published_accuracies.CITATIONS)


def test_command_selects_by_flags():
    done = run_command("--dataset=tieredImageNet", "--shot=5")
    assert "tieredImageNet" in done.stdout and "5-shot" in done.stdout
    assert "miniImageNet" not in done.stdout and "1-shot" not in done.stdout


def test_bad_flag_is_one_line_and_status_2():
    done = run_command("--dataset=omniglot")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "omniglot" in done.stderr and "miniImageNet" in done.stderr
