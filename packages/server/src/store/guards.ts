/**
 * What no generated migration can say: a call that is over keeps its state and its result (I2), and a session's epoch never falls
 * (I5), whoever writes. Put in place after every migration; safe to run again.
 */
export const GUARDS = `
create or replace function keep_final_call() returns trigger language plpgsql as $$
begin
  raise exception 'call % is % and keeps it', old.id, old.state using errcode = 'check_violation', constraint = 'calls_final';
end $$;
create or replace trigger calls_final before update on calls for each row
  when (old.state in ('succeeded', 'failed', 'denied', 'cancelled', 'unknown')
    and (new.state <> old.state or new.result::text is distinct from old.result::text))
  execute function keep_final_call();
create or replace function keep_lease_epoch() returns trigger language plpgsql as $$
begin
  raise exception 'the epoch of session % falls', old.id using errcode = 'check_violation', constraint = 'sessions_epoch';
end $$;
create or replace trigger sessions_epoch before update on sessions for each row
  when (new.lease_epoch < old.lease_epoch or new.seq < old.seq or new.version < old.version)
  execute function keep_lease_epoch();
`;
