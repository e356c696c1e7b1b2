import { lazy } from 'react';

const AGAIN_MS = 1_000;

/** What a page has; replaceable in tests. */
interface Surroundings {
  readonly isServerThere: () => Promise<boolean>;
  readonly pause: () => Promise<void>;
}

const BROWSER: Surroundings = {
  isServerThere: () =>
    fetch('/healthz', { cache: 'no-store' }).then(
      ({ ok }) => ok,
      () => false,
    ),
  pause: () => new Promise((resolve) => setTimeout(resolve, AGAIN_MS)),
};

/**
 * For a part of the page that is loaded when it is first looked at: while the server is away it is waited for, instead of ending the page.
 * What fails although the server is there, such as a part that an upgrade has replaced, is an error still.
 */
export function patiently<T>(load: () => Promise<T>, { isServerThere, pause }: Surroundings = BROWSER): () => Promise<T> {
  return async () => {
    try {
      return await load();
    } catch {
      while (!(await isServerThere())) await pause();
      return load();
    }
  };
}

/** As `lazy` of React, patiently. */
export const lazyPart: typeof lazy = (load) => lazy(patiently(load));
