"""The Sentry wire format, and nothing else. Pure: no files, sockets, threads or clocks."""
