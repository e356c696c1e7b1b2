export type { ModelConfig } from './model/model-port.ts';
export { createChangeableModels, createModels } from './model/models.ts';
export { createRunner, type Runner } from './runner.ts';
