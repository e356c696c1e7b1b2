import { LOCAL_TOOLS, validate } from '@tendon/protocol';
import type { HistoryItem } from './model/model-port.ts';

/**
 * Where the next command of a session starts on this machine: where the last one that says so has ended, of several that were asked for
 * together the last in their order. Undefined for the workspace itself.
 *
 * It becomes a part of the call's input before the call is hashed. So it is what a person is shown, what a rule is about and what the
 * machine runs, whatever other commands end in between; nobody keeps a folder that an approval does not name.
 */
export function keptFolder(history: readonly HistoryItem[], machine: { readonly gatewayId: string; readonly workspace: string }): string | undefined {
  const last = history
    .flatMap((item) => item.calls)
    .findLast(
      (call) =>
        call.tool === 'bash' && call.gatewayId === machine.gatewayId && call.workspace === machine.workspace && folderIn(call.result?.meta) !== undefined,
    );
  const folder = folderIn(last?.result?.meta);
  return folder === '.' ? undefined : folder;
}

/** A machine's word, so it is taken for no more than what a model could have named. */
function folderIn(meta: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const named = validate(LOCAL_TOOLS.bash.input.shape.cwd, meta?.['folder']);
  return named.ok && named.data?.isWellFormed() ? named.data : undefined;
}

/** The input of a command that names no folder, with the kept one. Anything else as it is. */
export function withFolder(tool: string, input: unknown, folder: string | undefined): unknown {
  if (tool !== 'bash' || folder === undefined || typeof input !== 'object' || input === null || 'cwd' in input) return input;
  return { ...input, cwd: folder };
}
