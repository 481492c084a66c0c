"""The written page in the simulated camera's picture: where it is, what stands in its way, what is kept of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from kiosk_parts import Cast

from hardware.simulation.papers import WAYS, HeldPaper, Paper
from hardware.simulation.room import View
from hardware.simulation.scene import Scene
from kiosk.documents import encode_page
from kiosk.page_finder import Page, find_page, hint_for
from models.biometrics import UInt8Array

PAPER = Paper(5)


def looks(
    way: str, *, view: View | None = None, cast: Cast | None = None
) -> tuple[UInt8Array, Page | None, str | None]:
    """Up to six looks at a page that is held so, a fifteenth of a second apart: the first good one, or the last."""
    now = 6.0
    scene = Scene(seed=1, clock=lambda: now)
    if cast is not None:
        scene.show(cast["visitor_1"], "stand")
    scene.light(view)
    scene.hold_page(PAPER, way)
    page: Page | None = None
    for sequence in range(6):
        now += 1 / 15
        before, pixels = page, scene.render(sequence=sequence)
        page = find_page(pixels)
        hint = hint_for(pixels, page, before)
        if hint is None:
            break
    return pixels, page, hint


@pytest.mark.parametrize(
    ("way", "view", "hint"),
    [
        ("still", None, None),
        ("tilted", None, None),
        ("still", View(light=0.5), None),
        ("still", View(side=0.3), None),
        ("still", View(tint=(1.1, 1.0, 0.8)), None),
        ("far", None, "come_closer"),
        ("cut_off", None, "page_not_seen"),
        ("waving", None, "hold_still"),
        ("still", View(blur_px=2.5), "hold_still"),
        ("still", View(light=0.16, noise=4.0), "too_dark"),
    ],
)
def test_a_page_is_good_or_it_is_said_what_to_do(way: str, view: View | None, hint: str | None) -> None:
    assert looks(way, view=view)[2] == hint


@pytest.mark.parametrize("way", ["still", "tilted"])
def test_only_the_page_is_kept_even_before_a_face(way: str, cast: Cast) -> None:
    """Its corners are found to a few pixels, and along the edges of what is kept there is paper, or a thumb."""
    pixels, page, hint = looks(way, cast=cast)
    assert page is not None and hint is None
    corners = HeldPaper(PAPER, WAYS[way], 6.0).corners(6.2)
    assert np.abs(page.corners - corners).max() < 6
    kept = page.cut_out(pixels)
    gray = cv2.cvtColor(kept, cv2.COLOR_RGB2GRAY)
    rim = np.concatenate([gray[:2].ravel(), gray[-2:].ravel(), gray[:, :2].ravel(), gray[:, -2:].ravel()])
    assert (rim > 200).mean() > 0.9


def test_an_empty_room_and_a_face_are_no_page(cast: Cast) -> None:
    """Neither the notice board nor the door nor a white collar."""
    now = 6.0
    scene = Scene(seed=1, clock=lambda: now)
    assert find_page(scene.render(sequence=1)) is None
    for label in ("visitor_1", "visitor_2", "visitor_3"):
        scene.show(cast[label], "stand")
        now += 6.0
        found = find_page(scene.render(sequence=2))
        assert found is None or found.share(scene.render(sequence=2)) < 0.22  # never near enough to be taken


def test_a_page_becomes_a_jpeg_file_that_fits() -> None:
    """However large and however full of noise the picture is."""
    noise = np.random.default_rng(1).integers(0, 255, (2000, 1414, 3)).astype(np.uint8)
    picture = encode_page(noise)
    assert picture[:3] == b"\xff\xd8\xff"
    assert len(picture) <= 640 * 1024
