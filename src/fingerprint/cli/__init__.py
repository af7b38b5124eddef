"""The command line: calls the public API and prints."""
