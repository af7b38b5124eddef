"""What the library costs beside its peers; run with ``python -m benchmarks``."""
