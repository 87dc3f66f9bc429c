"""Backups of a data folder: made while the server works (`make`), checked, and brought back
(`verify`)."""
