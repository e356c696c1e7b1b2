export { Neighbours } from './neighbours.ts';
export type { Greeting, Notice, NoticeOf } from './notice.ts';
export type { NoticeChannel, NoticeEars } from './notice-channel.ts';
export { postgresChannel } from './postgres-channel.ts';
