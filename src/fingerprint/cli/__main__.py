"""``python -m fingerprint.cli``."""

from fingerprint.cli.main import main

main()
