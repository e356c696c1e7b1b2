/** Sizes are UTF-8 bytes, times milliseconds. SPEC P2. */
export const LIMITS = {
  messageTextBytes: 256 * 1024,
  toolInputBytes: 1024 * 1024,
  toolResultBytes: 1024 * 1024,
  packetBytes: 4 * 1024 * 1024,
  /** Nesting of any packet; deeper ones are refused before the schema sees them. */
  depth: 32,
  /** Values in one packet, counted over the whole tree. */
  nodes: 100_000,
  eventsPerSecond: 50,
  eventBurst: 200,
  sessionListPage: 100,
  historyPage: 100,
  attachPage: 50,
  queuedMessages: 100,
  attachmentsPerMessage: 20,
  titleLength: 200,
  reasonLength: 4_000,
  /** MCP servers of one machine that are told of, and how much of why one does not run. */
  mcpServers: 50,
  mcpReasonLength: 300,
  /** Of a picture of the browser, in characters of base64. */
  browserImageLength: 512 * 1024,
  browserUrlLength: 2_100,
  /** The longest that a machine shows its browser without being asked again. */
  browserWatchMs: 30_000,
  /** Sessions whose browser one connection watches at once. */
  browserWatches: 8,
  handshakeTimeoutMs: 5_000,
} as const;

/** Length of `text` in UTF-8 bytes, the unit of every limit. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
