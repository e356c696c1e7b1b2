import type { LanguageModelV4, LanguageModelV4CallOptions, ProviderV4 } from '@ai-sdk/provider';
import type { ModelConfig, ModelFault } from './model-port.ts';
import type { ImageMode } from './tool-output.ts';

export const PROVIDER_NAMES = ['openai', 'anthropic', 'google', 'ollama', 'compatible'] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

export const DEFAULT_OLLAMA_URL = 'http://127.0.0.1:11434';

/** What differs between providers besides their code. */
export interface ProviderTraits {
  readonly label: string;
  /** The variables a person sets to make it work, for messages. */
  readonly keyVariable: string | undefined;
  readonly urlVariable: string | undefined;
  readonly images: ImageMode;
  readonly cachesPrompt: boolean;
  readonly historyChars: number;
  readonly options: LanguageModelV4CallOptions['providerOptions'];
  /** Offered in lists; the first is the default of this provider. */
  readonly models: readonly { readonly id: string; readonly name: string }[];
}

export const PROVIDERS: Readonly<Record<ProviderName, ProviderTraits>> = {
  openai: {
    label: 'OpenAI',
    keyVariable: 'OPENAI_API_KEY',
    urlVariable: 'OPENAI_BASE_URL',
    images: 'inline',
    cachesPrompt: false,
    historyChars: 400_000,
    /** The history is ours: nothing of it is to be kept there. */
    options: { openai: { store: false } },
    models: [
      { id: 'gpt-6-sol', name: 'GPT-6 Sol' },
      { id: 'gpt-6-luna', name: 'GPT-6 Luna' },
      { id: 'gpt-5.6', name: 'GPT-5.6' },
    ],
  },
  anthropic: {
    label: 'Anthropic',
    keyVariable: 'ANTHROPIC_API_KEY',
    urlVariable: 'ANTHROPIC_BASE_URL',
    images: 'inline',
    cachesPrompt: true,
    historyChars: 400_000,
    /** Pings are signs of life while the model thinks without showing it. */
    options: { anthropic: { includePings: true } },
    models: [
      { id: 'claude-sonnet-5-5', name: 'Claude Sonnet 5.5' },
      { id: 'claude-opus-5-5', name: 'Claude Opus 5.5' },
      { id: 'claude-haiku-5-5', name: 'Claude Haiku 5.5' },
    ],
  },
  google: {
    label: 'Google',
    keyVariable: 'GOOGLE_GENERATIVE_AI_API_KEY',
    urlVariable: undefined,
    images: 'inline',
    cachesPrompt: false,
    historyChars: 400_000,
    options: undefined,
    models: [
      { id: 'gemini-3.8-flash', name: 'Gemini 3.8 Flash' },
      { id: 'gemini-2.5-pro', name: 'Gemini 2.5 Pro' },
    ],
  },
  ollama: {
    label: 'Ollama',
    keyVariable: undefined,
    urlVariable: 'OLLAMA_HOST',
    images: 'described',
    cachesPrompt: false,
    historyChars: 60_000,
    options: undefined,
    models: [],
  },
  compatible: {
    label: 'The compatible server',
    keyVariable: 'TENDON_COMPATIBLE_KEY',
    urlVariable: 'TENDON_COMPATIBLE_URL',
    images: 'described',
    cachesPrompt: false,
    historyChars: 400_000,
    options: undefined,
    models: [],
  },
};

export interface ModelName {
  readonly provider: ProviderName;
  readonly id: string;
}

/** Splits `provider/model` at its first slash: what follows may hold more of them. */
export function parseModel(model: string): ModelName | undefined {
  const slash = model.indexOf('/');
  const provider = PROVIDER_NAMES.find((name) => name === model.slice(0, Math.max(slash, 0)));
  const id = model.slice(slash + 1);
  return provider && id.trim() !== '' ? { provider, id } : undefined;
}

/** Why this provider cannot be asked with what is configured. */
export function configurationFault(name: ModelName, config: ModelConfig): ModelFault | undefined {
  const missing = missingVariable(name.provider, config);
  if (!missing) return undefined;
  const model = `${name.provider}/${name.id}`;
  return {
    code: 'model_not_configured',
    message: `${model} cannot be used yet: an owner can enter its key on the page Models, or set ${missing} for the server and start it again. Or choose another model.`,
  };
}

export function missingVariable(provider: ProviderName, config: ModelConfig): string | undefined {
  switch (provider) {
    case 'openai':
      return config.openaiKey ? undefined : 'OPENAI_API_KEY';
    case 'anthropic':
      return config.anthropicKey ? undefined : 'ANTHROPIC_API_KEY';
    case 'google':
      return config.googleKey ? undefined : 'GOOGLE_GENERATIVE_AI_API_KEY';
    case 'compatible':
      return config.compatibleUrl ? undefined : 'TENDON_COMPATIBLE_URL';
    case 'ollama':
      return undefined;
  }
}

/** A provider's model for one request, which ends when `signal` aborts. */
export type ModelMaker = (signal: AbortSignal) => LanguageModelV4;

/**
 * Loads a provider's code at its first use and keeps it: an idle server holds none of it. The key and the address are always given,
 * so that the SDK reads neither from the environment. Models come through the AI SDK's registry, as `provider/model`.
 */
export class ProviderLoader {
  readonly #config: ModelConfig;
  readonly #loading = new Map<ProviderName, Promise<(id: string) => ModelMaker>>();

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  /** Rejects when the provider's package cannot be loaded; the next call tries again. */
  async modelMaker(name: ModelName): Promise<ModelMaker> {
    const maker = await this.load(name.provider);
    return maker(name.id);
  }

  load(provider: ProviderName): Promise<(id: string) => ModelMaker> {
    const loading = this.#loading.get(provider) ?? this.#open(provider);
    this.#loading.set(provider, loading);
    loading.catch(() => this.#loading.delete(provider));
    return loading;
  }

  async #open(provider: ProviderName): Promise<(id: string) => ModelMaker> {
    const { createProviderRegistry } = await import('ai');
    const registryOf = (instance: ProviderV4) => createProviderRegistry({ [provider]: instance }, { separator: '/' });
    if (provider === 'ollama') {
      const { createOllama } = await import('ai-sdk-ollama');
      const baseURL = ollamaUrl(this.#config);
      return (id) => (signal) => registryOf(createOllama({ baseURL, fetch: abortedBy(signal) })).languageModel(`${provider}/${id}`);
    }
    const registry = registryOf(await createProvider(provider, this.#config));
    return (id) => () => registry.languageModel(`${provider}/${id}`);
  }
}

/** Ollama's client does not hand on the signal of a request (ollama 0.6), so a stop would leave the machine at work: its fetch gets it here. */
function abortedBy(signal: AbortSignal): typeof fetch {
  return (input, init) => fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, signal]) : signal });
}

async function createProvider(provider: Exclude<ProviderName, 'ollama'>, config: ModelConfig): Promise<ProviderV4> {
  switch (provider) {
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      return createOpenAI({ apiKey: config.openaiKey ?? '', baseURL: versionedUrl(config.baseUrls?.openai, 'https://api.openai.com/v1') });
    }
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic({ apiKey: config.anthropicKey ?? '', baseURL: versionedUrl(config.baseUrls?.anthropic, 'https://api.anthropic.com/v1') });
    }
    case 'google': {
      const { createGoogle } = await import('@ai-sdk/google');
      const baseURL = versionedUrl(config.baseUrls?.google, 'https://generativelanguage.googleapis.com/v1beta');
      return createGoogle({ apiKey: config.googleKey ?? '', baseURL });
    }
    case 'compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const key = config.compatibleKey ? { apiKey: config.compatibleKey } : {};
      return createOpenAICompatible({ name: 'compatible', baseURL: trimSlash(config.compatibleUrl ?? ''), includeUsage: true, ...key });
    }
  }
}

/** OLLAMA_HOST may be a bare `host:port`, and a server's `0.0.0.0` is reached at loopback. */
export function ollamaUrl(config: ModelConfig): string {
  const given = config.ollamaUrl?.trim() || DEFAULT_OLLAMA_URL;
  const url = /^https?:\/\//i.test(given) ? given : `http://${given}`;
  return trimSlash(url.replace(/^(https?:\/\/)0\.0\.0\.0(?=[:/]|$)/i, '$1127.0.0.1'));
}

/** Other clients of these providers take a base address without `/v1`; one that has no path at all gets the path of the usual one. */
export function versionedUrl(given: string | undefined, usual: string): string {
  if (!given) return usual;
  const url = trimSlash(given);
  return /^https?:\/\/[^/]+$/i.test(url) ? url + new URL(usual).pathname : url;
}

export function trimSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
