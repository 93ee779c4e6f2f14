-- Double entry with row locks, as the usual ledger in PostgreSQL has it. A transfer is one row with a
-- unique idempotency key and two entries that sum to zero; both accounts are locked in the order of
-- their ids, so that no two transfers wait for each other in a circle. Whole numbers, no foreign
-- keys, one call a transfer: whatever makes it faster without taking a promise away.
CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transfers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  idempotency_key text NOT NULL UNIQUE,
  debit bigint NOT NULL, credit bigint NOT NULL, amount bigint NOT NULL,
  description text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE entries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transfer bigint NOT NULL, account bigint NOT NULL,
  amount bigint NOT NULL, balance_after bigint NOT NULL);
CREATE INDEX ON entries (account, id);

CREATE FUNCTION transfer(key text, debit_id bigint, credit_id bigint, units bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  new_id bigint; debit_balance bigint; credit_balance bigint;
BEGIN
  PERFORM 1 FROM accounts WHERE id IN (debit_id, credit_id) ORDER BY id FOR UPDATE;
  INSERT INTO transfers (idempotency_key, debit, credit, amount, description)
    VALUES (key, debit_id, credit_id, units, 'Object storage')
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING id INTO new_id;
  IF new_id IS NULL THEN
    RETURN (SELECT id FROM transfers WHERE idempotency_key = key);
  END IF;
  UPDATE accounts SET balance = balance - units WHERE id = debit_id
    RETURNING balance INTO debit_balance;
  UPDATE accounts SET balance = balance + units WHERE id = credit_id
    RETURNING balance INTO credit_balance;
  INSERT INTO entries (transfer, account, amount, balance_after) VALUES
    (new_id, debit_id, -units, debit_balance), (new_id, credit_id, units, credit_balance);
  RETURN new_id;
END $$;

-- Many transfers in one call and one commit, set by set instead of row by row.
CREATE FUNCTION transfer_many(keys text[], debits bigint[], credits bigint[], units bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  done bigint;
BEGIN
  PERFORM 1 FROM accounts WHERE id = ANY (debits || credits) ORDER BY id FOR UPDATE;
  WITH asked AS (
    SELECT * FROM unnest(keys, debits, credits) AS t (key, debit, credit)
  ), made AS (
    INSERT INTO transfers (idempotency_key, debit, credit, amount, description)
      SELECT key, debit, credit, units, 'Object storage' FROM asked
      ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, debit, credit
  ), legs AS (
    SELECT id, debit AS account, -units AS amount FROM made
    UNION ALL SELECT id, credit, units FROM made
  ), written AS (
    INSERT INTO entries (transfer, account, amount, balance_after)
      SELECT legs.id, account, amount,
             accounts.balance + sum(amount) OVER (PARTITION BY account ORDER BY legs.id, amount)
      FROM legs JOIN accounts ON accounts.id = account
  ), sums AS (
    SELECT account, sum(amount) AS amount FROM legs GROUP BY account
  ), moved AS (
    UPDATE accounts SET balance = balance + sums.amount FROM sums WHERE accounts.id = sums.account
  )
  SELECT count(*) INTO done FROM made;
  RETURN done;
END $$;
