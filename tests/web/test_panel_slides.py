"""The slides of the idle screen: which files are shown, in which order, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from models.errors import InputError
from web.panel.app import create_panel
from web.panel.slides import LINE_UNITS, LINES_PER_PAGE, MOST_SLIDES, Slides, slide_body, text_slides


def write_picture(path: Path) -> None:
    encoded, content = cv2.imencode(path.suffix, np.full((90, 160, 3), 200, np.uint8))
    assert encoded
    path.write_bytes(content.tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_picture(tmp_path / "02 notice.png")
    write_picture(tmp_path / "03 poster.jpg")
    write_picture(tmp_path / "04 drawing.webp")
    (tmp_path / "01 hours.txt").write_text("开放时间\n周一至周五 9:00 至 17:00\n", "utf-8")
    return tmp_path


def test_pictures_and_texts_are_listed_in_the_order_of_their_names(folder: Path) -> None:
    listed = [slide_body(slide) for slide in Slides(folder).listed()]
    assert listed[0] == {"title": "开放时间", "lines": ["周一至周五 9:00 至 17:00"]}
    assert [slide["label"] for slide in listed[1:]] == ["notice", "poster", "drawing"]


def test_what_is_no_slide_is_left_out_and_named_once(folder: Path) -> None:
    (folder / "10 broken.jpg").write_bytes((folder / "03 poster.jpg").read_bytes()[:40])
    (folder / "11 empty.txt").write_text(" \n", "utf-8")
    (folder / "12 other.txt").write_bytes(b"\xff\xfe\xff")
    (folder / "13 long.txt").write_text("a" * 10_000, "utf-8")
    (folder / "14 scripted.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "utf-8")
    (folder / ".hidden.txt").write_text("hidden", "utf-8")
    (folder / "15 folder.txt").mkdir()
    slides = Slides(folder)
    with capture_logs() as first:
        assert len(slides.listed()) == 4
    assert [entry["file"][:2] for entry in first] == ["10", "11", "12", "13", "14"]
    with capture_logs() as second:
        slides.listed()
    assert second == []


def test_a_file_that_was_mended_is_shown(folder: Path) -> None:
    slides = Slides(folder)
    (folder / "05 new.txt").write_bytes(b"\xff")
    assert len(slides.listed()) == 4
    (folder / "05 new.txt").write_text("A new notice", "utf-8")
    assert len(slides.listed()) == 5


def test_a_link_that_leads_out_of_the_folder_is_no_slide(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("elsewhere") / "letter.txt"
    outside.write_text("not for the screen", "utf-8")
    (folder / "09 letter.txt").symlink_to(outside)
    assert len(Slides(folder).listed()) == 4


def test_a_folder_that_is_not_there_or_none_at_all_means_no_slides(tmp_path: Path) -> None:
    assert Slides(None).listed() == []
    with capture_logs() as logs:
        assert Slides(tmp_path / "unplugged").listed() == []
    assert logs[0]["event"] == "slides_unreadable"


def test_a_long_text_becomes_pages_that_can_be_read() -> None:
    pages = text_slides("通知\n" + "请大家按时参加学习活动" * 12 + "\n" + "Please come on time. " * 8)
    assert len(pages) > 1 and {page.title for page in pages} == {"通知"}
    for page in pages:
        assert 1 <= len(page.lines) <= LINES_PER_PAGE
        assert all(sum(1 + (ord(letter) > 0x2E80) for letter in line) <= LINE_UNITS for line in page.lines)
    said = "".join("".join(page.lines) for page in pages)
    assert said.count("请大家按时参加学习活动") == 12


def test_a_text_without_a_word_is_no_slide() -> None:
    with pytest.raises(InputError):
        text_slides("\n \n")


def test_there_is_an_end_to_how_many_are_shown(tmp_path: Path) -> None:
    for number in range(MOST_SLIDES + 5):
        (tmp_path / f"{number:03}.txt").write_text(f"Notice {number}", "utf-8")
    assert len(Slides(tmp_path).listed()) == MOST_SLIDES


def test_the_page_gets_the_list_and_the_pictures_and_nothing_else_of_the_folder(folder: Path, station: Any) -> None:
    client = create_panel(station, slides=folder).test_client()
    listed = client.get("/slides").json["slides"]
    response = client.get(listed[1]["picture"])
    assert (response.status_code, response.mimetype) == (200, "image/png")
    assert response.data == (folder / "02 notice.png").read_bytes()
    for name in ("01%20hours.txt", "..%2F..%2Fetc%2Fpasswd", "nothing.png"):
        assert client.get(f"/slides/{name}").status_code == 404
    assert client.get("/slides", headers={"Host": "evil.example"}).status_code in (400, 403)


def test_without_a_folder_the_list_is_empty(station: Any) -> None:
    assert create_panel(station).test_client().get("/slides").json == {"slides": []}
