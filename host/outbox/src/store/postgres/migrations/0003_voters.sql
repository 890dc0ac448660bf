-- The id that a client chooses is a name within its voter.
ALTER TABLE submissions DROP CONSTRAINT submissions_client_id_key;
CREATE UNIQUE INDEX submissions_by_client_id ON submissions (client_id, voter) WHERE client_id IS NOT NULL;
-- Whether a registrar vouches for the voter. Nobody knows of what was there before; whoever knew an id could
-- look it up then, so that registrars go on to.
ALTER TABLE submissions ADD COLUMN by_registrar boolean NOT NULL DEFAULT true;

-- What was there when accounts and registrars' voters were told apart: nothing in a new database.
ALTER TABLE network ADD COLUMN earlier_elections_until bigint NOT NULL DEFAULT 0;
ALTER TABLE network ADD COLUMN earlier_accounts_until_ms bigint NOT NULL DEFAULT 0;
UPDATE network SET
    earlier_elections_until = (SELECT coalesce(max(election_id), 0) FROM elections),
    earlier_accounts_until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
