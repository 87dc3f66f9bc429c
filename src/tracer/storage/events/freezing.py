"""A copy of the event store as it was at one moment, made beside appends and erasures."""

from __future__ import annotations

from pathlib import Path

import duckdb


class Freezing:
    """A cursor with a new file attached. `freeze`, then `copy`, then the file is whole."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._cursor = cursor
        self._path = path
        self._tables: list[str] = []
        name = str(path).replace("'", "''")
        cursor.execute(f"ATTACH '{name}' AS copy")

    def freeze(self) -> None:
        """The moment. A transaction sees the others' commits up to its first read."""
        self._cursor.execute("BEGIN")
        rows = self._cursor.execute(
            """
            SELECT table_name
              FROM duckdb_tables()
             WHERE database_name = current_database() AND NOT temporary
             ORDER BY table_name
            """
        ).fetchall()
        self._tables = [str(row[0]) for row in rows]
        for table in self._tables:
            self._cursor.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()  # noqa: S608

    def copy(self) -> dict[str, int]:
        """Write every table; how many rows each has."""
        counts = {}
        for table in self._tables:
            columns = [
                f"{name} {type_}{' USING COMPRESSION zstd' if type_ == 'BLOB' else ''}"
                for name, type_, *_ in self._cursor.execute(f"DESCRIBE {table}").fetchall()
            ]
            self._cursor.execute(f"CREATE TABLE copy.{table} ({', '.join(columns)})")
            row = self._cursor.execute(
                f"INSERT INTO copy.{table} SELECT * FROM {table}"  # noqa: S608
            ).fetchone()
            counts[table] = int(row[0]) if row else 0
        self._cursor.execute("COMMIT")
        self._cursor.execute("DETACH copy")
        return counts

    def close(self) -> None:
        """Let go of the file, whether it was copied or not."""
        for sql in ("ROLLBACK", "DETACH copy"):
            try:
                self._cursor.execute(sql)
            except duckdb.Error:
                continue
        self._cursor.close()
