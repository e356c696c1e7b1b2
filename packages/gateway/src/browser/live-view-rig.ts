import type { BrowserFrame, MachineBrowserState } from '@tendon/protocol';
import { browserFrameSchema, machineBrowserStateSchema } from '@tendon/protocol';
import { until } from '@tendon/testing';
import { pino } from 'pino';
import type { Policy } from '../policy/policy.ts';
import { OPEN_POLICY } from '../policy/policy.ts';
import { LiveViews } from './live-views.ts';
import type { PageRig } from './page-rig.ts';

export const SESSION = '0199c0de-0000-7000-8000-000000000001';

/** What a server would be told of the browser of a rig. */
export interface LiveRig extends Disposable {
  readonly views: LiveViews;
  readonly frames: BrowserFrame[];
  readonly states: MachineBrowserState['state'][];
  /** When a picture was let through, in milliseconds of a monotonic clock: how long it then takes until it is shown is the machine's affair. */
  readonly turns: number[];
  /** How many watches were over by themselves or were ended. */
  readonly ended: number;
  policy: Policy;
  isFree: boolean;
  watch(how?: { forMs?: number; anew?: boolean; sessionId?: string }): void;
  until<T>(what: string, check: () => T | undefined | false): Promise<T>;
}

export function watchPages(rig: PageRig): LiveRig {
  const told = new EventTarget();
  const frames: BrowserFrame[] = [];
  const states: MachineBrowserState['state'][] = [];
  const turns: number[] = [];
  let ended = 0;
  const isFree = (): boolean => {
    if (live.isFree) turns.push(performance.now());
    return live.isFree;
  };
  const heard = (line: string): void => {
    if (line.includes('watched no more')) ended += 1;
    told.dispatchEvent(new Event('told'));
  };
  const live: LiveRig = {
    frames,
    states,
    turns,
    get ended() {
      return ended;
    },
    policy: OPEN_POLICY,
    isFree: true,
    views: new LiveViews({
      browser: rig.bench.browser,
      policy: { current: async () => ({ ok: true, policy: live.policy }) },
      workspaces: [rig.bench.root],
      tell: (name, payload) => {
        // Whatever a page is called: the server would refuse what does not fit.
        if (name === 'browser:frame') frames.push(browserFrameSchema.parse(payload));
        else states.push(machineBrowserStateSchema.parse(payload).state);
        told.dispatchEvent(new Event('told'));
      },
      isFree,
      now: () => new Date(),
      log: pino({}, { write: heard }),
    }),
    watch: ({ forMs = 20_000, anew = true, sessionId = SESSION } = {}) => live.views.take({ sessionId, forMs, anew }),
    until: (what, check) =>
      until({
        what,
        check,
        on: (listener) => {
          told.addEventListener('told', listener);
          return () => told.removeEventListener('told', listener);
        },
        deadlineMs: 30_000,
      }),
    [Symbol.dispose]: () => live.views.close(),
  };
  return live;
}
