import { z } from 'zod';
import { patchPaths } from './patch-text.ts';
import type { Call } from './shapes.ts';
import { LOCAL_TOOLS, ruleSubject, toolDefinition } from './tool-definitions.ts';
import { isPersonTool, type OtherWork } from './undo-tool.ts';
import { tryParse } from './validate.ts';

type ShownCall = Pick<Call, 'tool' | 'input' | 'state' | 'effect' | 'kind' | 'startedAt'>;

/** What a call has changed as far as the call itself says: files that a gateway keeps the former state of, or other work, which is not undone. */
export type Traces =
  | { readonly kind: 'files'; readonly files: readonly string[] }
  | { readonly kind: 'other'; readonly work: OtherWork }
  | { readonly kind: 'none' };

const NONE: Traces = { kind: 'none' };
const SHOWN_UNITS = 300;
/** What the tools that change one file have in common. */
const ONE_FILE = z.object({ path: LOCAL_TOOLS.write_file.input.shape.path });

/** Pure. Page and server ask the same question, so that what is offered is what is done. */
export function tracesOf(call: ShownCall): Traces {
  if (call.kind === 'pause' || call.effect === 'read' || isPersonTool(call.tool) || !mayHaveRun(call)) return NONE;
  const files = call.kind === 'local' ? filesOf(call) : undefined;
  if (files) return files.length > 0 ? { kind: 'files', files } : NONE;
  return { kind: 'other', work: { tool: call.tool.slice(0, 200).toWellFormed(), what: whatOf(call) } };
}

/** A file tool that failed has changed nothing, but for a patch whose files could not all be put back. */
function mayHaveRun({ tool, state, startedAt }: ShownCall): boolean {
  if (state === 'succeeded' || state === 'unknown') return true;
  if (state === 'failed') return startedAt !== undefined && (tool === 'apply_patch' || !isOneFileTool(tool));
  return state === 'cancelled' && startedAt !== undefined;
}

function isOneFileTool(tool: string): boolean {
  return tool === 'write_file' || tool === 'edit_file' || tool === 'multi_edit';
}

function filesOf({ tool, input }: ShownCall): string[] | undefined {
  if (isOneFileTool(tool)) {
    const checked = tryParse(ONE_FILE, input);
    return checked.success ? [checked.data.path] : [];
  }
  if (tool !== 'apply_patch') return undefined;
  const checked = tryParse(LOCAL_TOOLS.apply_patch.input, input);
  return checked.success ? patchPaths(checked.data.patch) : [];
}

function whatOf({ tool, input }: ShownCall): string {
  const definition = toolDefinition(tool);
  const isAsExpected = !definition || tryParse(definition.input, input).success;
  const text = isAsExpected ? ruleSubject(tool, input) : (JSON.stringify(input) ?? '');
  return (text.length > SHOWN_UNITS ? `${text.slice(0, SHOWN_UNITS)}…` : text).toWellFormed();
}
