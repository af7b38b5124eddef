"""Views: what an upload was before it was edited, and what may be done to a picture one has."""

from __future__ import annotations

from fingerprint.views.families import (
    QUERY_FAMILIES,
    REFERENCE_FAMILIES,
    ViewFamily,
    query_family_names,
)
from fingerprint.views.hashing import hash_views
from fingerprint.views.image_index import ImageIndex
from fingerprint.views.search import match_image
from fingerprint.views.segment_index import SegmentIndex

__all__ = [
    "QUERY_FAMILIES",
    "REFERENCE_FAMILIES",
    "ImageIndex",
    "SegmentIndex",
    "ViewFamily",
    "hash_views",
    "match_image",
    "query_family_names",
]
