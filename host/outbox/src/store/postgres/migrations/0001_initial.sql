-- The database that several backends share. Numbers of the chain are unsigned and stored as signed
-- ones of the same bits; hashes, keys and pseudonyms are 32 bytes.

-- One row. Whoever writes locks it first, so that groups of writes follow one another.
CREATE TABLE network (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- What every backend over this database must agree on.
    genesis_hash bytea NOT NULL,
    registrar bytea NOT NULL,
    secret_fingerprint bytea NOT NULL,
    next_sequence bigint NOT NULL DEFAULT 0,
    -- The newest block up to which every confirmation is recorded, whoever carries the ballot.
    mark_height bigint,
    mark_hash bytea
);

-- Backends, a row for each start of one. Times are this database's.
CREATE TABLE backends (
    id bigint PRIMARY KEY,
    -- The data directory that it runs over.
    home bytea NOT NULL,
    -- Since when it has been seen without a gap, and when last.
    since timestamptz NOT NULL,
    seen timestamptz NOT NULL
);

CREATE TABLE submissions (
    -- The order of acceptance, over all backends.
    sequence bigint PRIMARY KEY,
    client_id text COLLATE "C" UNIQUE,
    election_id bigint NOT NULL,
    voter bytea NOT NULL,
    content bytea NOT NULL,
    transaction_id bytea NOT NULL UNIQUE,
    -- Empty once it is settled.
    transaction bytea NOT NULL,
    expiry_height bigint NOT NULL,
    submitted_at_ms bigint NOT NULL,
    -- 0 open, 1 confirmed, 2 rejected.
    state smallint NOT NULL DEFAULT 0,
    -- The backend that carries it to the chain while it is open.
    carrier bigint,
    height bigint,
    block_hash bytea,
    block_index integer,
    confirmed_at_ms bigint,
    signatures integer,
    validator text,
    code text,
    reason text,
    rejected_at_ms bigint,
    CHECK ((state = 0) = (carrier IS NOT NULL)),
    CHECK (state <> 1 OR (height IS NOT NULL AND block_hash IS NOT NULL)),
    CHECK (state <> 2 OR (code IS NOT NULL AND reason IS NOT NULL))
);

-- What a voter has cast: a rejected ballot does not stand.
CREATE INDEX submissions_by_voter ON submissions (election_id, voter, sequence) WHERE state <> 2;
CREATE INDEX submissions_open ON submissions (carrier, sequence) WHERE state = 0;

-- Ids of transactions that expired and were signed again.
CREATE TABLE replaced_transactions (
    transaction_id bytea PRIMARY KEY,
    sequence bigint NOT NULL REFERENCES submissions
);

-- Elections as last seen on the chain; an older stage does not replace a later one.
CREATE TABLE elections (
    election_id bigint PRIMARY KEY,
    stage smallint NOT NULL,
    view text NOT NULL
);

CREATE TABLE accounts (
    name text COLLATE "C" PRIMARY KEY,
    account bytea NOT NULL
);

-- Ids begin with the time at which they expire.
CREATE TABLE sessions (
    id text COLLATE "C" PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    -- The refresh token that may be used next.
    refresh text NOT NULL
);
