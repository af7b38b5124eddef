"""Imports point down only: the order of design.md, read off the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fingerprint

ROOT = Path(fingerprint.__file__).parent

# From the edges down; a part may import those in later rows only.
ORDER: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli", "service"),
    ("testing",),
    ("scale",),
    ("evaluate",),
    ("screening",),
    ("warming",),
    ("lists",),
    ("features", "video", "views"),
    ("index",),
    ("hashing",),
    ("algorithms",),
    ("media",),
    ("calibration",),
    ("results",),
    ("hash_arrays",),
    ("hashes",),
    ("kernels",),
    ("errors", "typing"),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}

# One file each, by the name that users type: they may share a base, not each other.
PLUGINS = {
    "algorithms": {"base", "registry", "grid"},
    "index/backends": {"base", "choice", "faiss_common", "registry", "residency", "scan"},
    "lists/formats": {"base", "registry", "fields", "compression", "json_stream"},
}
# A variant that is built on another algorithm says so by importing it.
BUILT_ON = {
    ("algorithms", "crop_resistant", "dhash"),
    ("algorithms", "phash_simple", "phash"),
}


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def _is_type_checking(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _imports(node: ast.AST) -> Iterator[str]:
    """Every imported module, also inside functions, but for those of type checking."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import hides where it points"
        module = node.module or ""
        yield from (f"{module}.{alias.name}" for alias in node.names)
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if _is_type_checking(node):
        assert isinstance(node, ast.If)
        children = list(node.orelse)
    for child in children:
        yield from _imports(child)


def imports_of(path: Path) -> set[str]:
    """Parts of the package that a file imports."""
    found = set()
    for name in _imports(ast.parse(path.read_text())):
        package, _, rest = name.partition(".")
        if package == "fingerprint":
            found.add(rest)
    return found


def test_every_part_has_a_place_in_the_order() -> None:
    unplaced = {part_of(path) for path in modules()} - set(RANK)
    assert not unplaced
    assert {"kernels", "index", "media", "algorithms"} <= {part_of(path) for path in modules()}


def test_imports_are_seen_in_functions_and_not_under_type_checking() -> None:
    source = (
        "import fingerprint.a\nif TYPE_CHECKING:\n    import fingerprint.b\nelse:\n"
        "    import fingerprint.c\ndef f():\n    from fingerprint import d\n"
        "try:\n    from fingerprint.e import x\nexcept ImportError:\n    pass\n"
    )
    found = {name.split(".")[1] for name in _imports(ast.parse(source))}
    assert found == {"a", "c", "d", "e"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    mine = part_of(path)
    for name in imports_of(path):
        other = name.split(".")[0]
        if other in RANK and other != mine:
            assert RANK[other] > RANK[mine], f"{mine} imports {name}, which is above or beside it"
        elif other != mine:
            # `from fingerprint import Hash` goes through the whole public API.
            assert mine in {"cli", "service", "evaluate"}, f"{mine} imports fingerprint.{name}"


@pytest.mark.parametrize(("folder", "shared"), PLUGINS.items())
def test_plugins_do_not_import_each_other(folder: str, shared: set[str]) -> None:
    here = folder.replace("/", ".")
    files = {p.stem: p for p in (ROOT / folder).glob("*.py")}
    plugins = set(files) - shared - {"__init__"}
    assert len(plugins) >= 5
    for name in files:
        beside = {
            other
            for imported in imports_of(files[name])
            for other in plugins
            if other != name and f"{imported}.".startswith(f"{here}.{other}.")
        }
        allowed = {other for where, one, other in BUILT_ON if (where, one) == (here, name)}
        assert beside <= allowed, f"{folder}/{name} imports {beside - allowed}"


def test_kernels_import_nothing_but_each_other() -> None:
    for path in (ROOT / "kernels").glob("*.py"):
        for name in imports_of(path):
            assert name.split(".")[0] == "kernels", f"{path.name} imports {name}"


def test_pixels_are_decoded_in_media_alone() -> None:
    for path in modules():
        if part_of(path) in {"media", "evaluate", "cli", "testing"}:
            continue
        text = path.read_text()
        for reader in ("cv2.imdecode", "cv2.imread", "cv2.VideoCapture", "Image.open"):
            assert reader not in text, path
        for name in _imports(ast.parse(text)):
            assert name.split(".")[0] not in {"simplejpeg", "av"}, path
