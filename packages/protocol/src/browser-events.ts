import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { idSchema, timeSchema } from './shapes.ts';

/** Why there is no picture: the browser is being started, no page is open, or the machine's owner does not let it be watched. */
export const MACHINE_BROWSER_STATES = ['starting', 'no_page', 'refused'] as const;
/** What the server adds: the machine is offline, or is there and says nothing, as one that is older. */
export const BROWSER_STATES = [...MACHINE_BROWSER_STATES, 'away', 'silent'] as const;

const about = { sessionId: idSchema, at: timeSchema };
const pixels = z.number().int().min(1).max(10_000);

/** One picture of the page that a session's browser shows. Address and title are the page's own words. Not kept; the newest one counts. */
export const browserFrameSchema = z.object({
  ...about,
  url: z.string().max(LIMITS.browserUrlLength),
  title: z.string().max(LIMITS.titleLength),
  width: pixels,
  height: pixels,
  /** A JPEG, base64. */
  image: z
    .string()
    .max(LIMITS.browserImageLength)
    .regex(/^\/9j\/[A-Za-z0-9+/]+={0,2}$/, 'must be a JPEG in base64'),
});

export const machineBrowserStateSchema = z.object({ ...about, state: z.enum(MACHINE_BROWSER_STATES) });
export const browserStateSchema = z.object({ ...about, state: z.enum(BROWSER_STATES) });

/** Sent again and again while somebody watches: `forMs` after the last one the machine stops by itself; 0 stops it at once. */
export const browserWatchSchema = z.object({
  sessionId: idSchema,
  forMs: z.number().int().min(0).max(LIMITS.browserWatchMs),
  /** Somebody has nothing to see yet: the newest picture, or why there is none, is sent though nothing has changed. */
  anew: z.boolean(),
});

export type BrowserFrame = z.infer<typeof browserFrameSchema>;
export type BrowserState = z.infer<typeof browserStateSchema>;
export type BrowserStateName = BrowserState['state'];
export type MachineBrowserState = z.infer<typeof machineBrowserStateSchema>;
export type BrowserWatch = z.infer<typeof browserWatchSchema>;
