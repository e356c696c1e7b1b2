/** Small, durable, silent about data: one machine, one or a few people. Given at every start, so they follow the code and not the folder's age. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  // Its worker processes would cost more memory than they save time here.
  io_method: 'sync',
  jit: 'off',
  log_line_prefix: '',
  lc_messages: 'C',
  // Neither statements nor rows reach the log: they hold what people wrote (I15).
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
};

export const SETTINGS: readonly string[] = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
