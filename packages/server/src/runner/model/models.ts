import { checkModel, DEMO_MODEL, discoverModels, isDemo, keyedDefault, listModels } from './catalog.ts';
import { demoStep } from './demo.ts';
import type { ModelConfig, ModelPort } from './model-port.ts';
import { ProviderLoader, parseModel } from './providers.ts';
import { RefusedPictures } from './refused-pictures.ts';
import { providerStep } from './step.ts';

/** What tests replace. */
export interface ModelParts {
  /** From 0 to 1, for the jitter of retries. */
  readonly random?: () => number;
  /** Pause between two pieces of the demo's text, in milliseconds; 8 when left out. */
  readonly demoPaceMs?: number;
}

/** The models of this server. The code of a provider is loaded at its first use. Holds nothing open; there is nothing to close. */
export function createModels(config: ModelConfig, parts: ModelParts = {}): ModelPort {
  const loader = new ProviderLoader(config);
  const context = { config, loader, random: parts.random ?? Math.random, refused: new RefusedPictures() };
  const check: ModelPort['check'] = (model) => checkModel(model, config);
  return {
    check,
    step(request, sink) {
      if (isDemo(request.model)) return demoStep(request, sink, parts.demoPaceMs ?? 8);
      const fault = check(request.model);
      const name = parseModel(request.model);
      if (name && !fault) return providerStep(name, request, { sink, context });
      const error = fault ?? { code: 'model_unknown' as const, message: `There is no model ${request.model}.` };
      return Promise.resolve({ kind: 'failed', parts: [], error, retryable: false });
    },
    list: async () => listModels(config, await discoverModels(config)),
    async defaultModel() {
      if (config.model) return config.model === 'demo' ? DEMO_MODEL : config.model;
      const keyed = keyedDefault(config);
      if (keyed) return keyed;
      const [first] = await discoverModels(config);
      return first ?? DEMO_MODEL;
    },
    warmUp(model) {
      const name = parseModel(model);
      if (name && !check(model)) loader.load(name.provider).catch(() => undefined);
    },
  };
}

/** The same with a configuration that can change: a step goes on with the keys that it began with, the next one has the new. */
export function createChangeableModels(config: ModelConfig): ModelPort & { change(config: ModelConfig): void } {
  let current = createModels(config);
  return {
    change: (changed) => {
      current = createModels(changed);
    },
    check: (model) => current.check(model),
    step: (request, sink) => current.step(request, sink),
    list: () => current.list(),
    defaultModel: () => current.defaultModel(),
    warmUp: (model) => current.warmUp(model),
  };
}
