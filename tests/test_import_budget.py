"""What ``import fingerprint`` costs, and whether the public names are what they say."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types

import pytest

import fingerprint

HEAVY = ("numba", "llvmlite", "faiss", "cv2", "av", "scipy", "PIL", "pyarrow", "simplejpeg")

PROBE = """
import sys
import fingerprint
{use}
print(*sorted({{name.split(".")[0] for name in sys.modules}} & set({heavy!r})))
"""


def loaded_by(use: str) -> set[str]:
    script = PROBE.format(use=use, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "use",
    [
        "",
        "fingerprint.Hash",
        "fingerprint.Hash('pdq', bytes(32), 256).hex",
        "fingerprint.Match, fingerprint.DecodeError, fingerprint.HashArray",
        "dir(fingerprint), fingerprint.__version__",
    ],
)
def test_import_loads_nothing_heavy(use: str) -> None:
    assert loaded_by(use) == set()


def test_the_probe_sees_what_is_loaded() -> None:
    assert "numba" in loaded_by("import fingerprint.kernels.bits")


def test_names_agree() -> None:
    assert len(set(fingerprint.__all__)) == len(fingerprint.__all__)
    assert set(fingerprint.__all__) == set(fingerprint._MODULE_OF)
    assert dir(fingerprint) == sorted(fingerprint.__all__)
    homes = [name for names in fingerprint._HOME.values() for name in names]
    assert len(homes) == len(set(homes))


@pytest.mark.parametrize("name", fingerprint.__all__)
def test_public_names_resolve_and_are_described(name: str) -> None:
    first, second = getattr(fingerprint, name), getattr(fingerprint, name)
    assert first is second
    # `evaluate` is a package that can be called.
    assert not isinstance(first, types.ModuleType) or (name == "evaluate" and callable(first))
    if isinstance(first, type) or callable(first):
        assert (first.__doc__ or "").strip(), f"{name} has no docstring"
    home = importlib.import_module(f"fingerprint.{fingerprint._MODULE_OF[name]}")
    assert name in home.__all__, f"{name} is not in __all__ of its module"


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hash_everything'"):
        _ = fingerprint.hash_everything
    assert not hasattr(fingerprint, "__wrapped__")
