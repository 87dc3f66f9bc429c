"""The stores. The only package that imports apsw and duckdb."""
