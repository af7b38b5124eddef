"""Presentation times of frames, from what files say of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Clock", "seconds_of"]

_JUMP_S = 1.0
"""A clock that goes back so far began anew; less is a slip."""

_LEAP_S = 86_400.0
"""A clock that goes on by so much was damaged, or set: nobody holds a picture for a day."""

_SLIP_S = 1e-3
_USUAL_STEP_S = 0.04
_TIME = re.compile(r"([0-9]{1,6}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,12})?)")


class Clock:
    """Tells seconds from the first frame, which always rise.

    Parameters
    ----------
    base : Fraction or None
        Seconds of a tick; None when the file does not say.
    frame_rate : float
        Frames a second; 0 when unknown.

    Attributes
    ----------
    end_s : float
        When the frames so far end.
    """

    def __init__(self, base: Fraction | None, frame_rate: float) -> None:
        self._base = base
        self._step_s = 1.0 / frame_rate if frame_rate > 0 else _USUAL_STEP_S
        self._start = 0
        self._start_s: float | None = None
        self._last_s: float | None = None
        self.end_s = 0.0

    def time_s(self, ticks: int | None, lasts: int | None) -> float:
        """Return the time of the next frame.

        Parameters
        ----------
        ticks : int or None
            What the file says; None when it does not.
        lasts : int or None
            Ticks until the frame after it.
        """
        due_s = 0.0 if self._last_s is None else self._last_s + self._step_s
        base = self._base
        if ticks is None or base is None:
            at_s = due_s
        else:
            if self._start_s is None:
                self._start, self._start_s = ticks, due_s
            at_s = self._start_s + float((ticks - self._start) * base)
            if self._last_s is not None and at_s > self._last_s + _LEAP_S:
                self._start, self._start_s = ticks, due_s
                at_s = due_s
            elif self._last_s is not None and at_s <= self._last_s:
                if at_s < self._last_s - _JUMP_S:  # One recording after another.
                    self._start, self._start_s = ticks, due_s
                    at_s = due_s
                else:
                    at_s = self._last_s + min(self._step_s, _SLIP_S)
        self._last_s = at_s
        stays_s = float(lasts * base) if lasts and lasts > 0 and base else self._step_s
        stays_s = min(stays_s, _LEAP_S)
        self.end_s = at_s + stays_s
        return at_s


def seconds_of(text: str) -> float:
    """Read hours, minutes and seconds, as Matroska writes them; 0 for anything else."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return 0.0
    hours, minutes, seconds = found.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
