// Writes packages/protocol/asyncapi.json from the zod schemas.
import {
  AGENT_NAMESPACE,
  AGENT_NOTICES,
  AGENT_REQUESTS,
  attachmentSchema,
  callSchema,
  decisionSchema,
  GATEWAY_COMMANDS,
  GATEWAY_NAMESPACE,
  GATEWAY_REQUESTS,
  gatewaySchema,
  gatewayToolSchema,
  grantSchema,
  handshakeSchema,
  journaledCallSchema,
  liveSchema,
  messageSchema,
  partSchema,
  ruleSchema,
  sessionEventSchema,
  sessionSchema,
  toolContentSchema,
  toolResultSchema,
  usageSchema,
  workspaceSchema,
} from '@tendon/protocol';
import { asyncApiDocument } from './asyncapi-document.ts';
import { writeOrCheck } from './generated-file.ts';

const document = asyncApiDocument({
  handshake: handshakeSchema,
  shapes: {
    session: sessionSchema,
    message: messageSchema,
    part: partSchema,
    attachment: attachmentSchema,
    call: callSchema,
    decision: decisionSchema,
    toolResult: toolResultSchema,
    toolContent: toolContentSchema,
    usage: usageSchema,
    gateway: gatewaySchema,
    gatewayTool: gatewayToolSchema,
    workspace: workspaceSchema,
    live: liveSchema,
    rule: ruleSchema,
    grant: grantSchema,
    journaledCall: journaledCallSchema,
    sessionEvent: sessionEventSchema,
  },
  channels: [
    { id: 'agent', address: AGENT_NAMESPACE, title: "people's clients: web, terminal, scripts", receives: AGENT_REQUESTS, sends: AGENT_NOTICES },
    { id: 'gateway', address: GATEWAY_NAMESPACE, title: 'machines', receives: GATEWAY_REQUESTS, sends: GATEWAY_COMMANDS },
  ],
});
writeOrCheck('packages/protocol/asyncapi.json', `${JSON.stringify(document, null, 2)}\n`);
