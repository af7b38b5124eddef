"""How large and how long the benchmarks are."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.paired import Plan

__all__ = ["FULL", "QUICK", "Settings", "Size"]

Size = tuple[int, int]
"""Width and height in pixels."""


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
    index_sizes : tuple of int
        Hashes in the searched set.
    index_queries : int
        Queries to each search structure.
    graph_max_n : int
        Largest set for graphs, whose building takes minutes beyond it.
    cluster_n : int
        Hashes to group.
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
    index_sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    index_queries: int = 300
    graph_max_n: int = 100_000
    cluster_n: int = 100_000


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
    index_sizes=(10_000,),
    index_queries=50,
    graph_max_n=10_000,
    cluster_n=10_000,
)
