-- When each backend last reached a validator: what one that reaches none holds, another carries.
ALTER TABLE backends ADD COLUMN connected timestamptz NOT NULL DEFAULT clock_timestamp();
