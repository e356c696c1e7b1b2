import type { IncomingMessage } from 'node:http';
import { Door } from './door.ts';
import { plainPage } from './plain-page.ts';
import { securityHeaders } from './security-headers.ts';
import { StaticFiles } from './static-files.ts';

/** The server's door and page for another process on this machine that listens on 127.0.0.1, such as a gateway's relay. */
export function loopbackFront(webRoot: string) {
  const door = new Door({ host: '127.0.0.1', publicUrl: undefined, allowedOrigins: [], trustedProxies: [] });
  const files = new StaticFiles(webRoot);
  return {
    listening: (port: number) => door.listening(port),
    check: (request: IncomingMessage) => door.check(request),
    headers: (host: string | undefined) => securityHeaders({ publicOrigin: () => 'http:' }, host),
    page: (pathname: string, headers: Parameters<StaticFiles['answer']>[1]) => files.answer(pathname, headers),
    words: (title: string, paragraphs: readonly string[]) => plainPage(title, paragraphs),
  };
}
