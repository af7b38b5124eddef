"""The commands of ``fingerprint list``, a few a file."""
