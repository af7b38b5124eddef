"""Untrusted bytes to canonical pixels; the only place that decodes."""

from __future__ import annotations

from fingerprint.media.canonical import WHITE, Alpha, check_options
from fingerprint.media.decoding import FORMATS, decode, decode_frames
from fingerprint.media.limits import DEFAULT_LIMITS, Limits
from fingerprint.media.pixels import Pixels
from fingerprint.media.source import describe

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "WHITE",
    "Alpha",
    "Limits",
    "Pixels",
    "check_options",
    "decode",
    "decode_frames",
    "describe",
]
