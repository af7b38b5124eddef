"""What a new process measures of itself; started by `benchmarks.cold`, prints JSON.

Started by path with ``python -P``, so that what it times is not imported before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

MB = 1_000_000


def time_import() -> dict[str, float]:
    before = perf_counter()
    import fingerprint

    after = perf_counter()
    return {"import_s": after - before, "version_known": float(bool(fingerprint.__version__))}


def time_first_hash(path: str) -> dict[str, float | str]:
    before = perf_counter()
    import fingerprint as fp

    between = perf_counter()
    first = fp.hash_image(path)
    after = perf_counter()
    return {"import_s": between - before, "hash_s": after - between, "hash": first.hex}


def time_warmup() -> dict[str, float]:
    import fingerprint as fp

    before = perf_counter()
    fp.warmup()
    return {"warmup_s": perf_counter() - before}


def measure_memory(
    kind: str, fidelity: str, width: int, height: int, path: str
) -> dict[str, float]:
    """Return how far the peak rises above what is there once the input is in memory."""
    import numpy as np

    generator = np.random.default_rng(0)
    work = _memory_work(kind, fidelity)
    small = generator.integers(0, 256, (600, 800, 3), dtype=np.uint8)
    work(small if kind in {"array", "pdqhash"} else _small_jpeg(small))
    source: object
    if kind in {"array", "pdqhash"}:
        source = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        source = Path(path).read_bytes()
    before = _forget_peak()
    work(source)
    beyond = (_peak_nbytes() - before) / MB
    return {"mb": beyond, "mb_per_mp": beyond / (width * height / MB)}


def _memory_work(kind: str, fidelity: str) -> Callable[[object], object]:
    if kind == "array":
        import fingerprint as fp

        return lambda source: fp.hash_image(source)  # type: ignore[arg-type]
    if kind == "jpeg":
        import fingerprint as fp

        return lambda source: fp.hash_image(source, fidelity=fidelity)  # type: ignore[arg-type]
    import pdqhash

    return lambda source: pdqhash.compute(source)


def _small_jpeg(array: object) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG")  # type: ignore[arg-type]
    return buffer.getvalue()


def _forget_peak() -> int:
    """Forget the peak so far and return the bytes in use, or the peak where that cannot be.

    Linux hands a process its parent's ``ru_maxrss``, so that is a last resort.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return _peak_nbytes()
    return _status_nbytes("VmRSS")


def _peak_nbytes() -> int:
    if Path("/proc/self/status").exists():
        return _status_nbytes("VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _status_nbytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")


def main(arguments: list[str]) -> None:
    what, *rest = arguments
    result: object
    if what == "import":
        result = time_import()
    elif what == "first-hash":
        result = time_first_hash(*rest)
    elif what == "warmup":
        result = time_warmup()
    elif what == "memory":
        kind, fidelity, width, height, path = rest
        result = measure_memory(kind, fidelity, int(width), int(height), path)
    else:
        raise SystemExit(f"unknown probe {what!r}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
