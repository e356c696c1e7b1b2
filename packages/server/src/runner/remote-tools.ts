import { type Call, failedResult, REMOTE_TOOLS, type RemoteToolName, type ToolInput, type ToolResult, textResult } from '@tendon/protocol';
import { checkToolInput } from '@tendon/protocol/tool-input';

type Runners = { readonly [Name in RemoteToolName]: (input: ToolInput<Name>) => Promise<ToolResult> };

/** The tools that run in the server, one row each. */
const RUNNERS: Runners = {
  update_plan: async ({ steps }) => {
    const done = steps.filter((step) => step.status === 'done').length;
    return textResult('succeeded', `The plan is shown to the person: ${done} of ${steps.length} steps done.`);
  },
};

/** Runs a remote tool. Never throws: what goes wrong is the result. */
export async function runRemoteTool(call: Pick<Call, 'tool' | 'input'>): Promise<ToolResult> {
  if (!Object.hasOwn(RUNNERS, call.tool)) return failedResult('unknown_tool', `The server has no tool named ${call.tool}.`);
  const name = call.tool as RemoteToolName;
  const checked = checkToolInput(name, REMOTE_TOOLS[name].input, call.input);
  if (!checked.ok) return failedResult('invalid_input', checked.message);
  try {
    return await RUNNERS[name](checked.input);
  } catch (error) {
    return failedResult('tool_failed', error instanceof Error ? error.message : 'the tool failed');
  }
}
