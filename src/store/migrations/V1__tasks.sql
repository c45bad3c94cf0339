-- Tasks and what became of them. docs/store.md tells what each column means; rows are written by mutirao only, for
-- each carries a seal, a checksum of its other columns.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    seal  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE task (
    id          BLOB NOT NULL PRIMARY KEY,
    seq         INTEGER NOT NULL,
    name        TEXT NOT NULL,
    file        BLOB NOT NULL,
    file_size   INTEGER NOT NULL,
    modified_s  INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    changed_s   INTEGER NOT NULL,
    changed_ns  INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    code        BLOB NOT NULL,
    group_name  TEXT NOT NULL,
    wishes      TEXT,
    state       TEXT NOT NULL,
    attempt     INTEGER,
    tries       INTEGER NOT NULL,
    conflicts   INTEGER NOT NULL,
    reason      TEXT,
    settled     INTEGER NOT NULL,
    adopted_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    seal        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE try (
    task     BLOB NOT NULL,
    attempt  INTEGER NOT NULL,
    name     TEXT NOT NULL,
    peer     TEXT NOT NULL,
    life     BLOB NOT NULL,
    fault    TEXT,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    seal     INTEGER NOT NULL,
    PRIMARY KEY (task, attempt)
) WITHOUT ROWID;

CREATE TABLE result (
    task     BLOB NOT NULL PRIMARY KEY,
    attempt  INTEGER NOT NULL,
    peer     TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    size     INTEGER NOT NULL,
    took_ns  INTEGER NOT NULL,
    failure  TEXT,
    file     TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    seal     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE conflict (
    task    BLOB NOT NULL,
    number  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    peer    TEXT NOT NULL,
    sha256  BLOB NOT NULL,
    came_at INTEGER NOT NULL,
    seal    INTEGER NOT NULL,
    PRIMARY KEY (task, number)
) WITHOUT ROWID;

CREATE TABLE damaged (
    found_at INTEGER NOT NULL,
    what     TEXT NOT NULL,
    cells    TEXT
);

-- For people: ids and digests as they are written elsewhere, times in UTC.

CREATE VIEW tasks AS
SELECT seq, lower(format('%s-%s-%s-%s-%s', substr(hex(id), 1, 8), substr(hex(id), 9, 4), substr(hex(id), 13, 4),
             substr(hex(id), 17, 4), substr(hex(id), 21))) AS id,
       name, state, attempt, tries, conflicts, reason, CAST(file AS TEXT) AS file, size, lower(hex(sha256)) AS sha256,
       group_name, wishes, settled,
       strftime('%Y-%m-%dT%H:%M:%fZ', adopted_at / 1000.0, 'unixepoch') AS adopted,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') AS ended
FROM task;

CREATE VIEW tries AS
SELECT lower(format('%s-%s-%s-%s-%s', substr(hex(task), 1, 8), substr(hex(task), 9, 4), substr(hex(task), 13, 4),
             substr(hex(task), 17, 4), substr(hex(task), 21))) AS task,
       attempt, name, peer, fault,
       strftime('%Y-%m-%dT%H:%M:%fZ', began_at / 1000.0, 'unixepoch') AS began,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') AS ended
FROM try;

CREATE VIEW results AS
SELECT lower(format('%s-%s-%s-%s-%s', substr(hex(task), 1, 8), substr(hex(task), 9, 4), substr(hex(task), 13, 4),
             substr(hex(task), 17, 4), substr(hex(task), 21))) AS task,
       attempt, peer, lower(hex(sha256)) AS sha256, size, took_ns / 1e9 AS took_s, failure, file,
       strftime('%Y-%m-%dT%H:%M:%fZ', taken_at / 1000.0, 'unixepoch') AS taken
FROM result;

CREATE VIEW conflicts AS
SELECT lower(format('%s-%s-%s-%s-%s', substr(hex(task), 1, 8), substr(hex(task), 9, 4), substr(hex(task), 13, 4),
             substr(hex(task), 17, 4), substr(hex(task), 21))) AS task,
       attempt, peer, lower(hex(sha256)) AS sha256,
       strftime('%Y-%m-%dT%H:%M:%fZ', came_at / 1000.0, 'unixepoch') AS came
FROM conflict;
