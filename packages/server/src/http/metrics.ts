import type { Registry } from 'prom-client';

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

/** A number that is read when Prometheus asks. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly read: () => number | Promise<number>;
}

/** The page of `/metrics`: Node's own figures and the given gauges. The library loads at the first request. */
export function createMetrics(gauges: readonly Gauge[]): () => Promise<MetricsPage> {
  let registry: Promise<Registry> | undefined;
  return async () => {
    registry ??= buildRegistry(gauges);
    const built = await registry;
    return { contentType: built.contentType, text: await built.metrics() };
  };
}

async function buildRegistry(gauges: readonly Gauge[]): Promise<Registry> {
  const { collectDefaultMetrics, Gauge: PromGauge, Registry: PromRegistry } = await import('prom-client');
  const registry = new PromRegistry();
  collectDefaultMetrics({ register: registry });
  for (const { name, help, read } of gauges) {
    new PromGauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(await read());
      },
    });
  }
  return registry;
}
