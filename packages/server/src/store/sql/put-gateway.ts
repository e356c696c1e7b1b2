import type { Statement } from './statement.ts';

/** $1 id, $2 owner, $3 name, $4 platform, $5 workspaces, $6 tools, $7 instance, $8 last seen, $9 sandbox. Another's machine stays as it is, and answers nothing. */
export const putGateway: Statement = {
  name: 'put_gateway',
  text: `
insert into gateways (id, owner_id, name, platform, workspaces, tools, instance_id, last_seen_at, sandbox)
values ($1, $2, $3, $4, $5::json, $6::json, $7, $8, $9::json)
on conflict (id) do update set
  name = excluded.name, platform = excluded.platform, workspaces = excluded.workspaces, tools = excluded.tools,
  instance_id = excluded.instance_id, last_seen_at = excluded.last_seen_at, sandbox = excluded.sandbox, greeting = gateways.greeting + 1
where gateways.owner_id = excluded.owner_id
returning greeting`,
};
