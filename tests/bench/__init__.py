"""`make bench`: measures a running server and writes docs/benchmarks.md."""
