import type { Call, CallState, Gateway } from '@tendon/protocol';
import { isPartlyUndone } from './undo-words.ts';

export type CallTone = 'quiet' | 'busy' | 'needs_you' | 'good' | 'bad';

export interface CallStateText {
  readonly tone: CallTone;
  readonly word: string;
}

const FIXED: Record<Exclude<CallState, 'queued' | 'denied'>, CallStateText> = {
  awaiting_approval: { tone: 'needs_you', word: 'Needs your approval' },
  awaiting_answer: { tone: 'needs_you', word: 'Needs your answer' },
  running: { tone: 'busy', word: 'Running' },
  succeeded: { tone: 'good', word: 'Done' },
  failed: { tone: 'bad', word: 'Failed' },
  cancelled: { tone: 'quiet', word: 'Stopped' },
  unknown: { tone: 'bad', word: 'Outcome unknown' },
};

export function callStateText(call: Call, gateway: Gateway | undefined): CallStateText {
  const isAway = call.kind === 'local' && gateway?.online === false;
  if (call.state === 'queued') return isAway ? { tone: 'needs_you', word: `Waiting for ${gateway.name}` } : { tone: 'busy', word: 'Starting' };
  if (call.state === 'running' && isAway) return { tone: 'needs_you', word: `No word from ${gateway.name}` };
  if (call.state === 'denied') return { tone: 'quiet', word: call.decision?.by === 'policy' ? 'Denied by policy' : 'Denied' };
  if (call.state === 'failed' && typeof call.result?.meta?.exitCode === 'number') return { tone: 'bad', word: `Exit code ${call.result.meta.exitCode}` };
  if (isPartlyUndone(call)) return { tone: 'needs_you', word: 'Partly done' };
  return FIXED[call.state];
}

/** The machines that work was given to, or waits for, and that are away. A session that has moved since may have another one. */
export function machinesAwaited(calls: readonly Call[], gateways: readonly Gateway[]): readonly Gateway[] {
  const ids = new Set(calls.filter((call) => call.kind === 'local' && (call.state === 'queued' || call.state === 'running')).map((call) => call.gatewayId));
  return gateways.filter((gateway) => !gateway.online && ids.has(gateway.id));
}

/** How long it ran, in milliseconds; undefined while it runs and for what never started. */
export function callDurationMs(call: Call): number | undefined {
  if (call.result?.meta?.durationMs !== undefined) return call.result.meta.durationMs;
  if (!call.startedAt || !call.finishedAt) return undefined;
  return Math.max(0, Date.parse(call.finishedAt) - Date.parse(call.startedAt));
}

/** `<0.1 s`, `0.2 s`, `12 s`, `3 min 5 s`, `2 h 4 min`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 50) return '<0.1 s';
  if (milliseconds < 9_950) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export interface ResultParts {
  readonly text: string;
  readonly images: readonly { readonly source: string; readonly label: string }[];
  readonly others: readonly string[];
}

const IMAGE_TYPES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']);

/** What a tool answered, by how it is shown. Only raster images are drawn: an SVG can carry more than a picture. */
export function resultParts(call: Call): ResultParts {
  const texts: string[] = [];
  const images: { source: string; label: string }[] = [];
  const others: string[] = [];
  for (const part of call.result?.content ?? []) {
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'resource') {
      if (part.resource.text !== undefined) texts.push(part.resource.text);
      else others.push(part.resource.uri);
    } else if (IMAGE_TYPES.has(part.mimeType) && /^[A-Za-z0-9+/=\s]*$/.test(part.data)) {
      images.push({ source: `data:${part.mimeType};base64,${part.data}`, label: `Image ${images.length + 1} of the answer` });
    } else others.push(part.mimeType);
  }
  return { text: texts.join('\n'), images, others };
}
