/** The two places that say a browser is back: the window (`online`) and the document (`visibilitychange`). */
export interface WakeSources {
  readonly window?: EventTarget;
  readonly document?: EventTarget & { readonly visibilityState: string };
}

/** Calls `onWake` when the network is back or the page becomes visible. Does nothing outside a browser. The answer ends it. */
export function watchWake(onWake: () => void, sources: WakeSources = browserSources()): () => void {
  const { window, document } = sources;
  const onVisibility = () => {
    if (document?.visibilityState === 'visible') onWake();
  };
  window?.addEventListener('online', onWake);
  document?.addEventListener('visibilitychange', onVisibility);
  return () => {
    window?.removeEventListener('online', onWake);
    document?.removeEventListener('visibilitychange', onVisibility);
  };
}

function browserSources(): WakeSources {
  return typeof document === 'undefined' || typeof window === 'undefined' ? {} : { window, document };
}
