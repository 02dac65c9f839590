"""The labelled contact sheet: cells where they belong, labels that are there and cut to their room."""

from __future__ import annotations

import pytest
import torch

from nodes.sheets import labelled_sheet
from nodes.types import Image

RED, GREEN, BLUE, GRAY = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.5, 0.5, 0.5))


def plain(colour: tuple[float, float, float], width: int = 64, height: int = 64, count: int = 1) -> Image:
    return Image(torch.tensor(colour).view(1, 3, 1, 1).expand(count, 3, height, width).contiguous())


def colour_at(sheet: Image, x: int, y: int) -> list[float]:
    return [round(float(value), 1) for value in sheet[0, :, y, x]]


def test_columns_run_before_rows() -> None:
    sheet = labelled_sheet([plain(c) for c in (RED, GREEN, BLUE, GRAY)], "a\nb", "c\nd")
    _, _, height, width = sheet.shape
    assert colour_at(sheet, width - 100, height - 100) == [1, 0, 0]
    assert colour_at(sheet, width - 32, height - 100) == [0, 1, 0]
    assert colour_at(sheet, width - 100, height - 32) == [0, 0, 1]
    assert colour_at(sheet, width - 32, height - 32) == [0.5, 0.5, 0.5]


def test_a_label_is_written_over_its_column_and_beside_its_row() -> None:
    bare = labelled_sheet([plain(RED), plain(RED)])
    assert bare.shape == (1, 3, 64, 2 * 64 + 8)
    labelled = labelled_sheet([plain(RED), plain(RED)], "cfg 4\ncfg 7", "seed 1", "a title")
    assert labelled.shape[2] > 64
    assert labelled.shape[3] > 2 * 64 + 8
    over = labelled[0, :, : labelled.shape[2] - 64]
    assert over.min() < 0.3, "nothing was written"


def test_a_long_label_is_cut_to_its_column() -> None:
    one = labelled_sheet([plain(RED)], "x" * 400)
    assert one.shape[3] == 64


def test_labels_of_several_words_are_whole_in_lines() -> None:
    one, other = (labelled_sheet([plain(RED)], f"checkpoint {name}") for name in ("emoji", "emoji-b"))
    assert one.shape == other.shape
    assert one.shape[2] > labelled_sheet([plain(RED)], "emoji").shape[2]
    assert not torch.equal(one, other), "names that differ at their ends look alike"


def test_pictures_of_several_sizes_lie_in_the_middle_of_equal_cells() -> None:
    sheet = labelled_sheet([plain(RED, 32, 32), plain(GREEN)], "a\nb")
    assert sheet.shape[3] == 2 * 64 + 8
    assert colour_at(sheet, 32, sheet.shape[2] - 32) == [1, 0, 0]
    assert colour_at(sheet, 4, sheet.shape[2] - 4) == [1, 1, 1]


def test_a_batch_is_one_cell() -> None:
    assert labelled_sheet([plain(RED, count=3)], "a").shape[3] == 3 * 64


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one or more"):
        labelled_sheet([])
    with pytest.raises(ValueError, match="at most 1 labels"):
        labelled_sheet([plain(RED)], "a", "b\nc")
