import type { Statement } from './statement.ts';

/**
 * $1 id, $2 owner, $3 name, $4 platform, $5 workspaces, $6 tools, $7 instance, $8 last seen, $9 sandbox, $10 whether only
 * approvals of its own page count, $11 how many its owner may have.
 * Another's machine stays as it is, and answers nothing; nor does one too many.
 */
export const putGateway: Statement = {
  name: 'put_gateway',
  text: `
insert into gateways (id, owner_id, name, platform, workspaces, tools, instance_id, last_seen_at, sandbox, local_approval_only)
select $1::uuid, $2::uuid, $3, $4, $5::json, $6::json, $7::uuid, $8::timestamptz, $9::json, $10::boolean
where exists (select 1 from gateways where id = $1) or (select count(*) from gateways where owner_id = $2) < $11::int
on conflict (id) do update set
  name = excluded.name, platform = excluded.platform, workspaces = excluded.workspaces, tools = excluded.tools,
  instance_id = excluded.instance_id, last_seen_at = excluded.last_seen_at, sandbox = excluded.sandbox,
  local_approval_only = excluded.local_approval_only, greeting = gateways.greeting + 1
where gateways.owner_id = excluded.owner_id
returning greeting`,
};
