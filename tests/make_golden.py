"""Record what the reference packages say of pictures that anybody can make again.

Run ``python -m tests.make_golden`` with pdqhash 0.2.8, imagehash 4.3.2 and Pillow
13.0.0 installed; it writes data/fixtures/golden_hashes.json. The pictures come
from integer arithmetic alone, so no library's random stream can change them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

FIXTURE = Path(__file__).parent.parent / "data" / "fixtures" / "golden_hashes.json"
RECORDED = "2026-11-22"
PINNED = {"pdqhash": "0.2.8", "ImageHash": "4.3.2", "Pillow": "13.0.0"}
SIZES = (8, 16)
CLASSIC = {
    "phash": "phash",
    "phash_simple": "phash_simple",
    "dhash": "dhash",
    "dhash_vertical": "dhash_vertical",
    "ahash": "average_hash",
    "whash": "whash",
}
DIHEDRAL = (
    "identity",
    "rotate90",
    "rotate180",
    "rotate270",
    "flip_x",
    "flip_y",
    "flip_plus1",
    "flip_minus1",
)
MIN_SEGMENTED_SIDE_PX = 300


def mixed(n: int, seed: int) -> I64:
    """``n`` pseudo-random numbers from 0 to 255: splitmix64 of a counter."""
    with np.errstate(over="ignore"):
        z = np.arange(n, dtype=np.uint64) + np.uint64(seed * 1_000_003 + 1)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(56)).astype(np.int64)


def noise(h: int, w: int, seed: int) -> I64:
    """White noise."""
    return mixed(h * w, seed).reshape(h, w)


def clouds(h: int, w: int, seed: int) -> I64:
    """Noise of several scales, finer ones fainter: what photographs look like to a hash."""
    total = np.zeros((h, w), np.int64)
    weights = 0
    y, x = np.arange(h)[:, None], np.arange(w)[None, :]
    for octave, step in enumerate((64, 32, 16, 8, 4, 2)):
        corners = noise(h // step + 2, w // step + 2, seed * 16 + octave)
        i, j, dy, dx = y // step, x // step, y % step, x % step
        top: I64 = corners[i, j] * (step - dx) + corners[i, j + 1] * dx
        bottom: I64 = corners[i + 1, j] * (step - dx) + corners[i + 1, j + 1] * dx
        total += np.floor_divide(top * (step - dy) + bottom * dy, step).astype(np.int64)
        weights += step
    return total // weights


def stretched(values: I64) -> I64:
    """Spread values over 0 to 255."""
    low, high = int(values.min()), int(values.max())
    return (values - low) * 255 // max(1, high - low)


def grey(make: Callable[[int, int, int], I64], h: int, w: int, seed: int) -> U8:
    """A grey picture."""
    return stretched(make(h, w, seed)).astype(np.uint8)


def colour(make: Callable[[int, int, int], I64], h: int, w: int, seed: int) -> U8:
    """A picture whose three channels differ."""
    bands = [stretched(make(h, w, 7 * seed + band)) for band in range(3)]
    return np.stack(bands, axis=-1).astype(np.uint8)


def gradient(h: int, w: int, seed: int) -> I64:
    """A slope, in a direction that depends on the seed."""
    y, x = np.arange(h)[:, None], np.arange(w)[None, :]
    return y * ((seed * 5) % 11 + 1) * 97 // h + x * ((seed * 3) % 7) * 101 // w


def stripes(h: int, w: int, seed: int) -> I64:
    """Diagonal stripes."""
    y, x = np.arange(h)[:, None], np.arange(w)[None, :]
    return ((y * (seed % 3) + x) // (seed + 2)) % 2


def checks(h: int, w: int, seed: int) -> I64:
    """A checkerboard."""
    y, x = np.arange(h)[:, None], np.arange(w)[None, :]
    return (y // (seed + 1) + x // (seed + 1)) % 2


def flat(h: int, w: int, *level: int) -> U8:
    """One colour, or one level of grey."""
    shape = (h, w) if len(level) == 1 else (h, w, 3)
    return np.full(shape, level if len(level) > 1 else level[0], np.uint8)


def dot(h: int, w: int) -> U8:
    """A white pixel on black."""
    picture = flat(h, w, 0)
    picture[h // 3, w // 4] = 255
    return picture


def rings(h: int, w: int) -> U8:
    """Coloured rings with sharp edges: hills and valleys for the segments."""
    y, x = np.arange(h)[:, None], np.arange(w)[None, :]
    distance = (y - h // 2) ** 2 * 3 + (x - w // 3) ** 2
    band = (distance // (h * w // 12 + 1)) % 3
    palette = np.array([[230, 40, 60], [20, 30, 90], [240, 235, 200]], np.uint8)
    return np.asarray(palette[band], np.uint8)


def pictures() -> dict[str, U8]:
    """Return all pictures by name."""
    found: dict[str, U8] = {}
    cloudy = [(5, 5), (5, 300), (300, 5), (33, 47), (64, 64), (63, 65), (65, 63), (128, 127)]
    cloudy += [(129, 130), (260, 100), (100, 260), (400, 700), (700, 400), (512, 512), (513, 300)]
    for seed, (h, w) in enumerate(cloudy, 1):
        found[f"clouds-colour-{h}x{w}"] = colour(clouds, h, w, seed)
        if seed % 2:
            found[f"clouds-grey-{h}x{w}"] = grey(clouds, h, w, seed + 50)
    for h, w in ((64, 64), (90, 150), (311, 305)):
        found[f"noise-{h}x{w}"] = colour(noise, h, w, h)
    for seed, (h, w) in enumerate(((64, 64), (120, 80), (40, 333)), 3):
        found[f"gradient-{h}x{w}"] = grey(gradient, h, w, seed)
        found[f"gradient-colour-{h}x{w}"] = colour(gradient, h, w, seed)
        found[f"stripes-{h}x{w}"] = grey(stripes, h, w, seed)
        found[f"checks-{h}x{w}"] = grey(checks, h, w, seed)
    found["flat-black-64x64"] = flat(64, 64, 0)
    found["flat-grey-100x77"] = flat(100, 77, 128)
    found["flat-white-5x5"] = flat(5, 5, 255)
    found["flat-red-70x71"] = flat(70, 71, 255, 0, 0)
    found["dot-90x110"] = dot(90, 110)
    found["rings-320x480"] = rings(320, 480)
    found["rings-600x310"] = rings(600, 310)
    return found


def digest(pixels: U8) -> str:
    """SHA-256 of shape and bytes, to tell a changed picture from a changed hash."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _packed(vector: Any) -> str:
    return np.packbits(np.asarray(vector, np.uint8)).tobytes().hex()


def _record(pixels: U8) -> dict[str, Any]:
    import imagehash
    import pdqhash
    from PIL import Image

    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    vector, quality = pdqhash.compute(rgb)
    vectors, dihedral_quality = pdqhash.compute_dihedral(rgb)
    picture = Image.fromarray(pixels)
    hashes = {
        name if size == 8 else f"{name}:{size}": str(
            getattr(imagehash, function)(picture, hash_size=size)
        )
        for name, function in CLASSIC.items()
        for size in SIZES
    }
    hashes["colorhash"] = str(imagehash.colorhash(picture))
    if min(pixels.shape[:2]) >= MIN_SEGMENTED_SIDE_PX:
        hashes["crop_resistant"] = str(imagehash.crop_resistant_hash(picture))
    return {
        "shape": list(pixels.shape),
        "sha256": digest(pixels),
        "pdq": _packed(vector),
        "pdq_quality": int(quality),
        "pdq_dihedral": dict(zip(DIHEDRAL, map(_packed, vectors), strict=True)),
        "pdq_dihedral_quality": int(dihedral_quality),
        "imagehash": hashes,
    }


def main() -> None:
    """Write the fixture."""
    for package, pinned in PINNED.items():
        if version(package) != pinned:
            raise SystemExit(f"expected {package} {pinned}, found {version(package)}")
    packages = {p: version(p) for p in (*PINNED, "numpy", "scipy", "PyWavelets")}
    golden = {
        "provenance": {
            "made_by": "tests/make_golden.py",
            "recorded": RECORDED,
            "packages": packages,
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
        },
        "pictures": {name: _record(pixels) for name, pixels in pictures().items()},
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
