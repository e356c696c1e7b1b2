export { findChromium } from './chromium.ts';
export { createGate, type Gate } from './gate.ts';
export { type Direction, LossyProxy } from './lossy-proxy.ts';
export type { ModelRequest } from './model/recorded-request.ts';
export { calls, epochMs, type Reply, readTokenStamps, type ScriptedCall, type Step, says, stampedTokens, thinks, waitsFor } from './model/script.ts';
export { ScriptedModel } from './model/scripted-model.ts';
export { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
export { type TestDatabase, testDatabase } from './test-database.ts';
export { type Condition, emits, until, within } from './until.ts';
