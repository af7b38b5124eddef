"""What all tests share: Hypothesis profiles, real photographs, reference packages."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

# The first use of a kernel compiles it, and the machine may be shared.
_SLOW_IS_FINE = (HealthCheck.too_slow,)
settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "nightly", max_examples=2000, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real pictures and videos."""
    folder = os.environ.get("FINGERPRINT_MEDIA")
    if not folder:
        pytest.skip("FINGERPRINT_MEDIA is not set: no real photographs to test with")
    if not Path(folder).is_dir():
        pytest.skip(f"FINGERPRINT_MEDIA is no folder: {folder}")
    return Path(folder)


@pytest.fixture(scope="session")
def photos(media: Path) -> list[Path]:
    """All photographs, in the order of their names."""
    found = [p for p in sorted((media / "photos").rglob("*")) if p.suffix.lower() in _PICTURES]
    if not found:
        pytest.skip(f"no photographs under {media / 'photos'}")
    return found


def _reference(name: str, why: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported ({error}): {why}")


@pytest.fixture(scope="session")
def pdqhash() -> ModuleType:
    """PyPI's binding of the PDQ reference; a source package that needs a C++ compiler."""
    return _reference("pdqhash", "install the 'peers' group to compare with the PDQ reference")


@pytest.fixture(scope="session")
def imagehash() -> ModuleType:
    """The reference of the classic hashes."""
    return _reference("imagehash", "install the 'dev' group to compare with imagehash")
