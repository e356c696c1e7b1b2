import type { Registry } from 'prom-client';

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

/** One number of a figure that has several. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A number that only grows, once for each set of labels. */
export interface Counter {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: () => readonly Sample[];
}

/** A number that is read when Prometheus asks. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly read: () => number | Promise<number>;
}

/** The page of `/metrics`: Node's own figures and the given ones. The library loads at the first request. */
export function createMetrics(gauges: readonly Gauge[], counters: readonly Counter[] = []): () => Promise<MetricsPage> {
  let registry: Promise<Registry> | undefined;
  return async () => {
    registry ??= buildRegistry(gauges, counters);
    const built = await registry;
    return { contentType: built.contentType, text: await built.metrics() };
  };
}

async function buildRegistry(gauges: readonly Gauge[], counters: readonly Counter[]): Promise<Registry> {
  const { collectDefaultMetrics, Counter: PromCounter, Gauge: PromGauge, Registry: PromRegistry } = await import('prom-client');
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
  for (const { name, help, labels: labelNames, read } of counters) {
    new PromCounter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
  }
  return registry;
}
