export type { ModelConfig, ModelPort } from './model/model-port.ts';
export { createModels } from './model/models.ts';
export { createRunner, type Runner } from './runner.ts';
