"""Untrusted bytes to canonical pixels; the only place that decodes."""

from __future__ import annotations

from fingerprint.media.canonical import WHITE, Alpha, check_options
from fingerprint.media.decoding import FORMATS, decode, decode_frames
from fingerprint.media.limits import DEFAULT_LIMITS, DEFAULT_VIDEO_LIMITS, Limits, VideoLimits
from fingerprint.media.pixels import Pixels
from fingerprint.media.source import describe

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_VIDEO_LIMITS",
    "FORMATS",
    "WHITE",
    "Alpha",
    "Limits",
    "Pixels",
    "VideoLimits",
    "check_options",
    "decode",
    "decode_frames",
    "describe",
]
