-- Tool calls and refusals among the pieces of an answer, and upstreams whose models see pictures.

-- What a piece is if `kind` cannot say it (the constraint knows text and reasoning): refusal or
-- tool_calls. `data` has the tool calls, so that a version without these columns shows none of them.
ALTER TABLE pieces ADD COLUMN part VARCHAR(16);

ALTER TABLE pieces ADD COLUMN data MEDIUMTEXT;

ALTER TABLE upstreams ADD COLUMN vision INTEGER NOT NULL DEFAULT 0;
