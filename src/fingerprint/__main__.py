"""``python -m fingerprint``."""

from fingerprint.cli.main import main

main()
