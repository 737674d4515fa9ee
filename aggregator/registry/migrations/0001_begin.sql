-- SQL that SQLite and PostgreSQL both understand. Times are Unix seconds, digests `sha256:<hex>`, documents JSON.

-- Counts every change that another process should see.
CREATE TABLE changes (
    only BIGINT NOT NULL PRIMARY KEY CHECK (only = 1),
    counter BIGINT NOT NULL
);
INSERT INTO changes (only, counter) VALUES (1, 1);

CREATE TABLE consortium (
    only BIGINT NOT NULL PRIMARY KEY CHECK (only = 1),
    document TEXT NOT NULL
);

-- A token is kept as its SHA-256 alone.
CREATE TABLE invitations (
    token_digest TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    made BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    enrolment TEXT
);
CREATE INDEX invitations_by_site ON invitations (site);

-- Keys that came with an invitation which another key had used.
CREATE TABLE contests (
    token_digest TEXT NOT NULL REFERENCES invitations (token_digest),
    key_fingerprint TEXT NOT NULL,
    site TEXT NOT NULL,
    first_tried BIGINT NOT NULL,
    last_tried BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (token_digest, key_fingerprint)
);
CREATE INDEX contests_by_site ON contests (site);

CREATE TABLE enrolments (
    id TEXT NOT NULL PRIMARY KEY,
    token_digest TEXT NOT NULL UNIQUE,
    site TEXT NOT NULL,
    csr_pem TEXT NOT NULL,
    key_fingerprint TEXT NOT NULL,
    ledger_key TEXT NOT NULL,
    requested BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused')),
    decided BIGINT,
    reason TEXT,
    certificate_pem TEXT,
    serial TEXT
);
CREATE INDEX enrolments_by_site ON enrolments (site);

CREATE TABLE sites (
    name TEXT NOT NULL PRIMARY KEY,
    ledger_key TEXT NOT NULL,
    enrolled BIGINT NOT NULL,
    revoked BIGINT,
    revoked_reason TEXT,
    last_seen BIGINT,
    program_version TEXT,
    protocol BIGINT,
    policy_digest TEXT,
    ledger_index BIGINT,
    ledger_head TEXT,
    head_entries BIGINT,
    head_hash TEXT,
    head_note TEXT,
    head_refused TEXT
);

CREATE TABLE certificates (
    serial TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL REFERENCES sites (name),
    pem TEXT NOT NULL,
    issued BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT,
    revoked_reason TEXT
);
CREATE INDEX certificates_by_site ON certificates (site);

-- `version` grows with each change of the phase: compare and swap.
CREATE TABLE studies (
    name TEXT NOT NULL PRIMARY KEY,
    plan TEXT NOT NULL,
    plan_digest TEXT NOT NULL,
    phase TEXT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    moved BIGINT NOT NULL
);

CREATE TABLE participants (
    study TEXT NOT NULL REFERENCES studies (name),
    site TEXT NOT NULL REFERENCES sites (name),
    answer TEXT NOT NULL,
    answered BIGINT NOT NULL,
    PRIMARY KEY (study, site)
);

CREATE TABLE rounds (
    study TEXT NOT NULL REFERENCES studies (name),
    round BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    model_in TEXT NOT NULL,
    deadline BIGINT NOT NULL,
    extensions BIGINT NOT NULL,
    closed BIGINT,
    record TEXT,
    PRIMARY KEY (study, round)
);

CREATE TABLE updates (
    id TEXT NOT NULL PRIMARY KEY,
    study TEXT NOT NULL,
    round BIGINT NOT NULL,
    site TEXT NOT NULL REFERENCES sites (name),
    attempt BIGINT NOT NULL,
    header TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    file TEXT NOT NULL,
    held BIGINT NOT NULL,
    began BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('uploading', 'admitted', 'refused', 'superseded')),
    admitted TEXT,
    receipt TEXT,
    problem TEXT,
    file_gone BIGINT NOT NULL DEFAULT 0,
    UNIQUE (study, round, site, attempt),
    FOREIGN KEY (study, round) REFERENCES rounds (study, round)
);
-- One site counts once in a round, whatever the program does.
CREATE UNIQUE INDEX updates_admitted_once ON updates (study, round, site) WHERE state = 'admitted';

CREATE TABLE refusals (
    study TEXT NOT NULL,
    round BIGINT NOT NULL,
    site TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (study, round, site, code),
    FOREIGN KEY (study, round) REFERENCES rounds (study, round)
);

CREATE TABLE evaluations (
    study TEXT NOT NULL REFERENCES studies (name),
    site TEXT NOT NULL REFERENCES sites (name),
    evaluation TEXT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (study, site)
);

CREATE TABLE releases (
    digest TEXT NOT NULL PRIMARY KEY,
    study TEXT NOT NULL REFERENCES studies (name),
    model TEXT NOT NULL,
    file TEXT NOT NULL,
    document TEXT NOT NULL,
    released BIGINT NOT NULL
);
