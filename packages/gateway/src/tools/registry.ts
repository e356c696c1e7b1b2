import { type GatewayTool, type Grant, isAlwaysAsked, isPersonTool, LOCAL_TOOLS, PERSON_TOOLS, type ToolEffect, type ToolResult } from '@tendon/protocol';
import { checkToolInput } from '@tendon/protocol/tool-input';
import { z } from 'zod';
import * as browser from '../browser/browser-tools.ts';
import type { FileUse, PolicySubject } from '../policy/policy-subject.ts';
import { undoChangesTool } from '../undo/undo-changes.ts';
import { applyPatchTool } from './apply-patch.ts';
import { bash } from './bash.ts';
import { opensFiles, subjectAt, subjectOf } from './call-subject.ts';
import { editFileTool } from './edit-file.ts';
import { ToolFault } from './faults.ts';
import type { FileWork } from './file-work.ts';
import { glob } from './glob.ts';
import { grep } from './grep.ts';
import { listFolder } from './list-folder.ts';
import { multiEditTool } from './multi-edit.ts';
import { PathQueue } from './path-queue.ts';
import { listProcessesTool, readProcessTool, stopProcessTool } from './process-tools.ts';
import { readFileTool } from './read-file.ts';
import { SeenFiles } from './seen-files.ts';
import type { LocalTool, MachineToolName, ToolContext } from './tool.ts';
import type { Workspace } from './workspace.ts';
import { writeFileTool } from './write-file.ts';
import { writeProcessTool } from './write-process.ts';

/** A tool with its input checked already: calling it runs it. */
export interface PreparedCall {
  readonly effect: ToolEffect;
  /** The part of the input that a policy rule is about, in each way it can be read. */
  subject(workspace: Workspace): PolicySubject;
  /** The same for one file that the call has come to, where it truly is. Left out: it opens no file of a workspace. */
  subjectAt?(path: string, use: FileUse): PolicySubject;
  /** Why this tool may not run by this grant; asked after the policy. Left out: any grant will do. */
  refusalOf?(grant: Grant): { readonly code: string; readonly message: string } | undefined;
  run(context: ToolContext): Promise<ToolResult>;
}

export type Preparation =
  | { readonly ok: true; readonly call: PreparedCall }
  | { readonly ok: false; readonly code: 'unknown_tool' | 'invalid_input'; readonly message: string };

/** The tools of this machine. One per gateway, made at its start and kept over every reconnect. */
export interface ToolRegistry {
  /** What the gateway announces in its hello. */
  readonly announced: readonly GatewayTool[];
  prepare(tool: string, input: unknown): Preparation;
}

let builds = 0;

/** How many registries this process has made. */
export function registryBuilds(): number {
  return builds;
}

export function buildRegistry(): ToolRegistry {
  builds += 1;
  const files: FileWork = { queue: new PathQueue(), seen: new SeenFiles() };
  const entries = [
    ...[entry(readFileTool(files)), entry(writeFileTool(files)), entry(editFileTool(files)), entry(multiEditTool(files)), entry(applyPatchTool(files))],
    ...[entry(undoChangesTool(files)), entry(bash), entry(listProcessesTool), entry(readProcessTool), entry(writeProcessTool), entry(stopProcessTool)],
    ...[entry(listFolder), entry(glob), entry(grep)],
    ...[entry(browser.browserNavigate), entry(browser.browserSnapshot), entry(browser.browserClick), entry(browser.browserFill)],
    ...[entry(browser.browserType), entry(browser.browserSelect), entry(browser.browserPress), entry(browser.browserHover)],
    ...[entry(browser.browserScroll), entry(browser.browserWait), entry(browser.browserScreenshot), entry(browser.browserTabs)],
    ...[entry(browser.browserExtract), entry(browser.browserUpload), entry(browser.browserDownload)],
  ];
  const byName = new Map(entries.map((item) => [item.announced.name, item]));
  const announced = entries.map((item) => item.announced).filter(({ name }) => !isPersonTool(name));
  const names = announced.map(({ name }) => name).join(', ');
  return {
    announced,
    prepare(tool, input) {
      const known = byName.get(tool);
      if (!known)
        return { ok: false, code: 'unknown_tool', message: `This machine has no tool named ${JSON.stringify(tool.slice(0, 100))}. It has: ${names}.` };
      return known.prepare(input);
    },
  };
}

const MACHINE_TOOLS = { ...LOCAL_TOOLS, ...PERSON_TOOLS };

interface Entry {
  readonly announced: GatewayTool;
  prepare(input: unknown): Preparation;
}

function entry<Name extends MachineToolName>(tool: LocalTool<Name>): Entry {
  const definition: (typeof MACHINE_TOOLS)[Name] = MACHINE_TOOLS[tool.name];
  const inputSchema = z.toJSONSchema(definition.input, { io: 'input' }) as Record<string, unknown>;
  const schema: z.ZodType = definition.input;
  const subject = definition.subject as (input: unknown) => string;
  const run = tool.run.bind(tool) as (input: unknown, context: ToolContext) => Promise<ToolResult>;
  return {
    announced: { name: tool.name, description: definition.description, inputSchema, effect: definition.effect, source: 'builtin' },
    prepare(input) {
      const checked = checkToolInput(tool.name, schema, input);
      if (!checked.ok) return { ok: false, code: 'invalid_input', message: checked.message };
      const asked = { tool: tool.name, input: checked.input, written: subject(checked.input) };
      return {
        ok: true,
        call: {
          effect: definition.effect,
          subject: (workspace) => subjectOf(asked, workspace),
          ...(opensFiles(tool.name) ? { subjectAt: (path: string, use: FileUse) => subjectAt(asked, path, use) } : {}),
          ...(isPersonTool(tool.name) || isAlwaysAsked(tool.name) ? { refusalOf: refuseWithoutPerson } : {}),
          run: (context) => settled(run(checked.input, context)),
        },
      };
    },
  };
}

function refuseWithoutPerson(grant: Grant): { code: string; message: string } | undefined {
  if (grant.by === 'user') return undefined;
  return { code: 'approval_needed', message: 'Only a person can ask for this, each time. Ask for it again with an approval.' };
}

/** What the caller can mend becomes a result; anything else is a bug and goes on to the one who logs it. */
async function settled(running: Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await running;
  } catch (error) {
    if (error instanceof ToolFault) return error.result();
    throw error;
  }
}
