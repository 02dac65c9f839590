"""The tables, as the steps that made them: a database is brought up to date by those it has not seen."""

from __future__ import annotations

from jobs import order

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
        rank REAL NOT NULL,
        client TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        created INTEGER NOT NULL,
        started INTEGER,
        finished INTEGER,
        key TEXT,
        error TEXT,
        targets TEXT,
        nodes TEXT,
        workflow TEXT NOT NULL
    );
    CREATE INDEX jobs_queue ON jobs (rank, seq) WHERE state = 'queued';
    CREATE INDEX jobs_state ON jobs (state, seq);
    CREATE UNIQUE INDEX jobs_key ON jobs (client, key) WHERE key IS NOT NULL;
    CREATE TABLE attempts (
        job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        outcome TEXT CHECK (outcome IN ('done', 'failed', 'cancelled', 'lost', 'returned')),
        cause TEXT,
        PRIMARY KEY (job, number)
    );
    CREATE TABLE events (
        job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (job, first)
    );
    CREATE TABLE outputs (
        job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        node TEXT NOT NULL,
        position INTEGER NOT NULL,
        folder TEXT NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        PRIMARY KEY (job, node, position)
    );
    CREATE INDEX outputs_name ON outputs (folder, name)
    """,
    order.MIGRATION,
    "ALTER TABLE jobs ADD COLUMN cancelling INTEGER NOT NULL DEFAULT 0",
)
