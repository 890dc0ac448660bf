-- Elections that are being closed or are closed: no ballot of theirs becomes durable any more.
CREATE TABLE closings (
    election_id bigint PRIMARY KEY,
    -- 0 once all that was acknowledged has ended, 1 at once, 2 the chain has closed it.
    how smallint NOT NULL
);
CREATE INDEX submissions_unsettled ON submissions (election_id) WHERE state = 0;
