"""How large and how long the benchmarks are."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.paired import Plan

__all__ = ["FULL", "PARTS", "QUICK", "Lookup", "Settings", "Size"]

Size = tuple[int, int]
"""Width and height in pixels."""

PARTS = (
    "size",
    "radius",
    "widths",
    "residency",
    "build",
    "batch",
    "dihedral",
    "nearest",
    "skewed",
    "index",
)
"""Parts of the group `benchmarks.lookup`."""

DETAIL_MAX_N = 10_000_000


@dataclass(frozen=True, slots=True)
class Lookup:
    """Sizes and time allowed for `benchmarks.lookup`.

    Parameters
    ----------
    sizes : tuple of int
        Hashes in the searched sets.
    parts : tuple of str
        Which of `PARTS` to run.
    queries : int
        Queries to each structure.
    sweep_queries : int
        The same where there are many rows: by radius, skewed, views, nearest.
    counted_max_n, n_counted : int
        In larger sets only so many answers are counted by brute force.
    radii : tuple of int
        Of 256 bits, for the cost by radius.
    pictures : int
        Generated pictures behind the realistic sets.
    graph_max_n : int
        Largest set for graphs, whose building takes minutes beyond it.
    batch_queries : int
        Queries in one call.
    budget_s, sweep_budget_s : float
        Time for a peer's queries in one row; then it drops out.
    single_adds : int
        Durable additions of one entry.
    """

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    parts: tuple[str, ...] = PARTS
    queries: int = 1000
    sweep_queries: int = 400
    counted_max_n: int = 10_000_000
    n_counted: int = 48
    radii: tuple[int, ...] = (0, 8, 16, 24, 31, 40, 50, 64)
    pictures: int = 20_000
    graph_max_n: int = 100_000
    batch_queries: int = 10_000
    budget_s: float = 20.0
    sweep_budget_s: float = 4.0
    single_adds: int = 100

    @property
    def detail_n(self) -> int:
        """The size at which everything is measured, or 0: the largest up to ten million."""
        return max((n for n in self.sizes if n <= DETAIL_MAX_N), default=0)

    def counted(self, n: int) -> int | None:
        """Return how many answers to count in a set of n; None for all."""
        return None if n <= self.counted_max_n else self.n_counted


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes, numbers of runs and time allowed.

    Parameters
    ----------
    plan : Plan
        How long two sides are compared.
    slow_plan : Plan
        The same where one side takes seconds.
    sizes : tuple of Size
        Decoded pictures for PDQ; the last is also compared with reading it.
    grid_size : Size
        Decoded picture for the hashes of imagehash.
    jpeg_size : Size
        Picture that is decoded from JPEG.
    camera_file : bool
        Also time a camera's file as it is.
    batch_files : int
        Files in the folder for `hash_images`.
    cold_runs, empty_cache_runs : int
        New processes, with a full and with an empty cache of compiled kernels.
    memory_sizes : tuple of Size
        Pictures whose peak of memory is measured.
    max_photos : int
        Photographs, at most, for the fidelity and for the share of fallbacks.
    cluster_n : int
        Hashes to group.
    video_s : float
        Length of the video that is generated.
    video_frames : int
        Frames in the index of videos.
    lookup : Lookup
        What is searched, and how long.
    """

    plan: Plan
    slow_plan: Plan
    sizes: tuple[Size, ...] = ((1920, 1080), (4000, 3000))
    grid_size: Size = (1920, 1080)
    jpeg_size: Size = (4000, 3000)
    camera_file: bool = True
    batch_files: int = 240
    cold_runs: int = 9
    empty_cache_runs: int = 3
    memory_sizes: tuple[Size, ...] = ((4000, 3000), (8000, 6000))
    max_photos: int = 2000
    cluster_n: int = 100_000
    video_s: float = 8.0
    video_frames: int = 1_000_000
    lookup: Lookup = field(default_factory=Lookup)


FULL = Settings(
    plan=Plan(budget_s=10.0, min_pairs=9, max_pairs=200),
    slow_plan=Plan(budget_s=30.0, min_pairs=5, max_pairs=9),
)

QUICK = Settings(
    plan=Plan(budget_s=1.5, min_pairs=3, max_pairs=30),
    slow_plan=Plan(budget_s=4.0, min_pairs=2, max_pairs=3),
    batch_files=40,
    cold_runs=3,
    empty_cache_runs=1,
    memory_sizes=((4000, 3000),),
    max_photos=120,
    cluster_n=10_000,
    video_s=2.0,
    video_frames=30_000,
    lookup=Lookup(
        sizes=(10_000,),
        queries=100,
        sweep_queries=60,
        radii=(8, 31, 50),
        pictures=1000,
        graph_max_n=10_000,
        batch_queries=2000,
        budget_s=2.0,
        sweep_budget_s=1.0,
    ),
)
