import { z } from 'zod';
import type { ModelConfig, ModelFault, ModelInfo } from './model-port.ts';
import {
  configurationFault,
  DEFAULT_OLLAMA_URL,
  missingVariable,
  ollamaUrl,
  PROVIDER_NAMES,
  PROVIDERS,
  type ProviderName,
  parseModel,
  trimSlash,
} from './providers.ts';

export const DEMO_MODEL = 'demo/tendon';
const DISCOVERY_TIMEOUT_MS = 700;
const MOST_DISCOVERED = 50;

export function isDemo(model: string): boolean {
  return model === 'demo' || model.startsWith('demo/');
}

/** Why a model cannot be used, without asking anyone. */
export function checkModel(model: string, config: ModelConfig): ModelFault | undefined {
  if (isDemo(model)) return undefined;
  const name = parseModel(model);
  if (name) return configurationFault(name, config);
  const known = ['demo', ...PROVIDER_NAMES].join(', ');
  return { code: 'model_unknown', message: `"${model.slice(0, 100).toWellFormed()}" is no model: write provider/model, with one of the providers ${known}.` };
}

/** The models that can be offered: the configured one, those of each provider, those that local servers told of, and the demo. */
export function listModels(config: ModelConfig, discovered: readonly string[]): ModelInfo[] {
  const rows = new Map<string, ModelInfo>();
  const add = (id: string, name: string): void => {
    if (rows.has(id)) return;
    const provider = parseModel(id)?.provider;
    const missing = provider ? missingVariable(provider, config) : undefined;
    rows.set(
      id,
      missing ? { id, name, available: false, hint: `Needs a key: on the page Models, or ${missing} for the server.` } : { id, name, available: true },
    );
  };
  if (config.model && (isDemo(config.model) || parseModel(config.model))) add(config.model, nameOf(config.model));
  for (const provider of PROVIDER_NAMES) for (const model of PROVIDERS[provider].models) add(`${provider}/${model.id}`, model.name);
  for (const id of discovered) add(id, nameOf(id));
  add(DEMO_MODEL, 'Demo (no network, no key)');
  return [...rows.values()].sort((a, b) => Number(b.available) - Number(a.available));
}

function nameOf(model: string): string {
  if (isDemo(model)) return 'Demo (no network, no key)';
  const name = parseModel(model);
  const listed = name && PROVIDERS[name.provider].models.find((row) => row.id === name.id);
  return listed?.name ?? name?.id ?? model;
}

/** The first provider that has a key, by its own default. */
export function keyedDefault(config: ModelConfig): string | undefined {
  for (const provider of PROVIDER_NAMES) {
    const first = PROVIDERS[provider].models[0];
    if (first && !missingVariable(provider, config)) return `${provider}/${first.id}`;
  }
  return undefined;
}

const ollamaTags = z.object({ models: z.array(z.object({ name: z.string().min(1) })) });
const compatibleModels = z.object({ data: z.array(z.object({ id: z.string().min(1) })) });

/** Models of the compatible server, if one is configured, then those of a running Ollama. Silence or nonsense is no model. */
export async function discoverModels(config: ModelConfig): Promise<string[]> {
  const [compatible, ollama] = await Promise.all([compatibleNames(config), ollamaNames(config)]);
  return [...named('compatible', compatible), ...named('ollama', ollama)];
}

function named(provider: ProviderName, ids: readonly string[]): string[] {
  return ids.slice(0, MOST_DISCOVERED).map((id) => `${provider}/${id}`);
}

async function compatibleNames(config: ModelConfig): Promise<string[]> {
  if (!config.compatibleUrl) return [];
  const headers: Record<string, string> = config.compatibleKey ? { authorization: `Bearer ${config.compatibleKey}` } : {};
  const parsed = compatibleModels.safeParse(await fetchJson(`${trimSlash(config.compatibleUrl)}/models`, headers));
  return parsed.success ? parsed.data.data.map((model) => model.id) : [];
}

async function ollamaNames(config: ModelConfig): Promise<string[]> {
  const parsed = ollamaTags.safeParse(await fetchJson(`${config.ollamaUrl ? ollamaUrl(config) : DEFAULT_OLLAMA_URL}/api/tags`, {}));
  return parsed.success ? parsed.data.models.map((model) => model.name) : [];
}

async function fetchJson(url: string, headers: Record<string, string>): Promise<unknown> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS) });
    if (response.ok) return await response.json();
    await response.body?.cancel();
  } catch {
    // Nobody there, too slow, or no JSON: there is no model to offer.
  }
  return undefined;
}
