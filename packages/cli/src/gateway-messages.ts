import { z } from 'zod';

/** What `tendon gateway` tells the `tendon start` that runs it, over the IPC channel. */
export const childMessageSchema = z.discriminatedUnion('type', [
  /** Who it is; answered with its key. */
  z.object({ type: z.literal('identify'), gatewayId: z.uuid() }),
  z.object({ type: z.literal('online'), gatewayId: z.uuid() }),
]);

/** What it is told. The key travels here and not on the command line or in the environment, where others could read it. */
export const parentMessageSchema = z.object({ type: z.literal('credential'), key: z.string().min(1) });

export type ChildMessage = z.infer<typeof childMessageSchema>;
export type ParentMessage = z.infer<typeof parentMessageSchema>;
