-- How tasks had ended that were opened again because somebody wanted them tried again: the past is told by it.

CREATE TABLE earlier_end (
    task      BLOB NOT NULL,
    number    INTEGER NOT NULL,
    state     TEXT NOT NULL,
    reason    TEXT,
    ended_at  INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    seal      INTEGER NOT NULL,
    PRIMARY KEY (task, number)
) WITHOUT ROWID;

CREATE VIEW earlier_ends AS
SELECT lower(format('%s-%s-%s-%s-%s', substr(hex(task), 1, 8), substr(hex(task), 9, 4), substr(hex(task), 13, 4),
             substr(hex(task), 17, 4), substr(hex(task), 21))) AS task,
       number, state, reason,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') AS ended,
       strftime('%Y-%m-%dT%H:%M:%fZ', opened_at / 1000.0, 'unixepoch') AS opened
FROM earlier_end;

PRAGMA user_version = 2;
