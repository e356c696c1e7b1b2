import type { Pass } from '../network/egress-proxy.ts';

/** What a command has started itself is reached without the proxy. */
const DIRECT = 'localhost,.localhost,127.0.0.1,0.0.0.0,::1,[::1]';

/** What leads a command's programs to a proxy on the loopback of its network. Pure. */
export function proxyEnvironment({ username, password }: Pass, port: number): Record<string, string> {
  const proxy = `http://${username}:${password}@127.0.0.1:${port}`;
  return {
    ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: DIRECT },
    ...{ http_proxy: proxy, https_proxy: proxy, all_proxy: proxy, no_proxy: DIRECT },
    // What a .npmrc says would come before the variables above.
    ...{ npm_config_proxy: proxy, npm_config_https_proxy: proxy, npm_config_noproxy: DIRECT },
    // Node's own fetch and http ask for it from version 24 on.
    NODE_USE_ENV_PROXY: '1',
    // Otherwise git asks for everything twice, to find out how the proxy wants its pass.
    GIT_HTTP_PROXY_AUTHMETHOD: 'basic',
  };
}
