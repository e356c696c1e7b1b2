const SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/**
 * The address of a link in text that a model or a tool wrote, or undefined when it may not be followed: only http, https and mail,
 * absolute, without a name or password in it (`https://bank.example@evil.example`).
 */
export function safeLink(href: string | undefined): string | undefined {
  if (href === undefined) return undefined;
  try {
    const url = new URL(href);
    if (!SCHEMES.has(url.protocol) || url.username !== '' || url.password !== '') return undefined;
    return url.href;
  } catch {
    return undefined;
  }
}

/** Remote images tell others that they were looked at, and when: only those that came with the text are drawn. */
export function safeImage(source: string | undefined): string | undefined {
  return source !== undefined && /^data:image\/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+$/.test(source) ? source : undefined;
}
