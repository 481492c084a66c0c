"""People who do what a capture asks of them, and engines that need not extract a picture twice."""

from __future__ import annotations

import threading
import weakref

from enrollment.capture import Step


class RememberingFingers:
    """The real finger engine, which extracts a picture once: the session and the simulated chip see the same ones."""

    def __init__(self, engine):
        self._engine = engine
        self._known = {}
        self._lock = threading.Lock()

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def extract(self, pixels, *, dpi=500):
        key = (pixels.tobytes(), dpi)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._engine.extract(pixels, dpi=dpi)
            return self._known[key]


class Person:
    """Lays the pictures on the glass in turn when asked to, and lifts; remembers everything it was told."""

    def __init__(self, glass, *pictures):
        self.news, self._glass, self._pictures = [], glass, list(pictures)

    def __call__(self, news):
        self.news.append(news)
        if news.code == Step.LAY_FINGER and self._pictures:
            self._glass.lay(self._pictures.pop(0))
        elif news.code == Step.LIFT_FINGER:
            self._glass.lift()

    @property
    def codes(self):
        return [news.code for news in self.news]

    @property
    def hints(self):
        return [code for code in self.codes if code not in set(Step)]


class TakingTurns:
    """A glass that shows each picture once and is empty between them, whoever looks."""

    def __init__(self, pictures):
        self._turns = [turn for picture in pictures for turn in (picture, None)]

    def impression(self):
        return self._turns.pop(0) if self._turns else None


class StillClock:
    """Seconds that pass when somebody waits."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    def wait(self, seconds):
        self.now_s += max(seconds, 1e-4)


class WatchedCamera:
    """Hands frames through and notes which of their pictures are still in memory."""

    def __init__(self, camera):
        self._camera, self.pictures = camera, []

    def __getattr__(self, name):
        return getattr(self._camera, name)

    def read(self, **how):
        frame = self._camera.read(**how)
        self.pictures.append(weakref.ref(frame.pixels))
        return frame
