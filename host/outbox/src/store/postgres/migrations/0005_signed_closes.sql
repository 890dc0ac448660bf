-- 3 in `how`: a close that was signed elsewhere may be on its way until this height.
ALTER TABLE closings ADD COLUMN until bigint;
