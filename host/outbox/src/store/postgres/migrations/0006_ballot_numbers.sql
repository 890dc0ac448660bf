-- The highest number that a voter's ballots in an election were given here, however they ended. Of what was
-- confirmed before, the chain knows it.
CREATE TABLE ballot_numbers (
    election_id bigint NOT NULL,
    voter bytea NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (election_id, voter)
);
