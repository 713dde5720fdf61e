"""A store of one's own, in SQL: all that a store needs is to compare and swap in one step.

    APIVIDEO_API_KEY=… python sql_store.py tokens.db

Here it is SQLite; any database that tells how many rows an UPDATE has changed will do. Run it twice:
the second run takes the token of the first.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Generator

import libapivideo


class SqlStore(libapivideo.OwnStore):
    def __init__(self, database: str) -> None:
        self.database = database
        with self.transaction(timeout=5) as db:
            db.execute("CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL)")

    @contextlib.contextmanager
    def transaction(self, timeout: float) -> Generator[sqlite3.Connection, None, None]:
        # A connection for each call: they come on threads of their own.
        with contextlib.closing(sqlite3.connect(self.database, timeout=timeout)) as db, db:
            yield db

    def load(self, name: str, timeout: float) -> libapivideo.Record | None:
        with self.transaction(timeout) as db:
            row = db.execute("SELECT version, data FROM tokens WHERE name = ?", (name,)).fetchone()
            return libapivideo.Record(*row) if row else None

    def swap(self, name: str, expected: int, record: libapivideo.Record, keep: float, timeout: float) -> bool:
        with self.transaction(timeout) as db:
            if expected == 0:
                new = "INSERT INTO tokens VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
                return db.execute(new, (name, record.version, record.data)).rowcount == 1
            change = "UPDATE tokens SET version = ?, data = ? WHERE name = ? AND version = ?"
            return db.execute(change, (record.version, record.data, name, expected)).rowcount == 1


if __name__ == "__main__":
    with libapivideo.Client(store=SqlStore(sys.argv[1])) as client:
        token = client.get_token()
        whose = "another process's" if client.stats().tokens_adopted else "this process's own"
        print(f"The token is {whose}, and good for {token.expires_in}.")
