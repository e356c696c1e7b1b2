import type { Fault } from '@tendon/protocol';

/** `details`: of a body that was refused, which of its fields and why. */
export type ApiFault = Fault & { readonly details?: unknown };

export type ApiAnswer<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: ApiFault };

/** One request to our own server's `/api`, with the cookie. Never throws; `T` is what the server promises (SPEC H7, H23). */
export async function callApi<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<ApiAnswer<T>> {
  try {
    const response = await fetch(path, {
      method,
      cache: 'no-store',
      // The header says that it is our page that asks, where the browser does not (H10).
      headers: { 'X-Requested-With': 'tendon', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const data = (await response.json()) as T & { error?: ApiFault };
    if (response.ok) return { ok: true, data };
    return { ok: false, error: data.error ?? { code: 'internal', message: `The server answered ${response.status}. Try again.` } };
  } catch {
    return { ok: false, error: { code: 'unavailable', message: 'The server cannot be reached. Try again when you are connected.' } };
  }
}
