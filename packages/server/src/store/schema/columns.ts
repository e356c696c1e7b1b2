import { customType, timestamp } from 'drizzle-orm/pg-core';

/**
 * JSON kept as the text it was. `jsonb` refuses what a tool may well print, a NUL or half a surrogate pair, and `json` takes every
 * text that JSON.stringify makes. Nothing inside such a column is ever looked at by SQL.
 */
export const rawJson = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'json',
  toDriver: (value) => JSON.stringify(value),
});

export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
