"""On what the figures were measured."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["ROOT", "describe_machine", "load_average", "use_one_thread"]

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = (
    "fingerprint",
    "numpy",
    "numba",
    "scipy",
    "pillow",
    "simplejpeg",
    "opencv-python-headless",
    "pdqhash",
    "ImageHash",
    "PyWavelets",
    "faiss-cpu",
    "pynear",
    "usearch",
)


def describe_machine() -> dict[str, str]:
    """Return processor, system, versions and time as plain text."""
    facts = {
        "measured at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "memory": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _commit(),
        "load average at the start": load_average(),
    }
    return facts | {name: _version(name) for name in PACKAGES}


def use_one_thread() -> None:
    """Keep the libraries with threads of their own to one."""
    for name in ("cv2", "faiss"):
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        if name == "cv2":
            module.setNumThreads(1)
        else:
            module.omp_set_num_threads(1)


def load_average() -> str:
    """Return the load of the last minute, or that it is unknown."""
    with contextlib.suppress(OSError, AttributeError):
        return f"{os.getloadavg()[0]:.2f}"
    return "unknown"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nbytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return f"{nbytes / 2**30:.0f} GiB"
    return "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def ask(*words: str) -> str:
        done = subprocess.run([git, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = ask("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    changed = ask("status", "--porcelain", "--", "src")
    return f"{commit} with changes in src" if changed else commit
