import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PRIVATE_NAMES } from '@tendon/testing';
import type { Canary } from './canary.test-kit.ts';

/** Allowed by its name; it answers `/to?WHERE` with a redirect to there. */
export async function openOrigin(): Promise<{ server: Server; port: number }> {
  const server = createServer((asked, answer) => {
    const [path, where] = (asked.url ?? '').split('?');
    if (path === '/to') answer.writeHead(302, { location: decodeURIComponent(where ?? '') }).end();
    else answer.end('ORIGIN');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  ...PRIVATE_NAMES,
  'open.example': ['127.0.0.1'],
};

/** Past the proxy where there is a way, by TCP and UDP. */
export const DIRECT = `
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { PRIVATE_NAMES } from '@tendon/testing';
const [host = '', port] = process.argv.slice(2);
const bare = host.replace(/^\\[|\\]$/g, '');
const get = () => fetch('http://' + host + ':' + port + '/').then((answer) => answer.text(), (error) => 'fetch: ' + error.message);
const dial = () => new Promise((resolve) => {
  const socket = connect(Number(port), bare);
  socket.once('connect', () => resolve('CANARY')).once('error', (error) => resolve('dial: ' + error.message));
  socket.setTimeout(5000, () => resolve('dial: late'));
});
const send = () => new Promise((resolve) => {
  const socket = createSocket(bare.includes(':') ? 'udp6' : 'udp4');
  socket.once('error', (error) => resolve('send: ' + error.message));
  socket.send('x', Number(port), bare, (error) => resolve('send: ' + (error?.message ?? 'sent')));
});
console.log(...(await Promise.all([get(), dial(), send()])));
process.exit();
`;

/** Of this machine, besides loopback. */
export const OWN_ADDRESSES = Object.values(networkInterfaces()).flatMap((addresses) =>
  (addresses ?? []).filter((own) => !own.internal && !own.address.startsWith('fe80')).map((own) => (own.family === 'IPv6' ? `[${own.address}]` : own.address)),
);

/** As these tests have names lead somewhere. */
export const resolveName = async (host: string): Promise<readonly string[]> => NAMES[host] ?? [];

/** One host by proxy, by tunnel and directly, from curl, node and bash. Needs `DIRECT` as direct.mjs. */
export function hostTry(host: string, port: number): string {
  const url = `'http://${host}:${port}/'`;
  const bare = host.replaceAll(/[[\]]/g, '');
  return `
    curl -sS -g -m 5 --noproxy '' ${url} & curl -sS -g -m 5 --noproxy '' -p ${url} & curl -sS -g -m 5 --noproxy '*' ${url} &
    node direct.mjs '${host}' ${port} &
    (exec 3<>'/dev/tcp/${bare}/${port}' && cat <&3) &
    echo x > '/dev/udp/${bare}/${port}' & wait`;
}

const P = '$CANARY_PORT';
const O = '$ORIGIN_PORT';
const bare = 'env -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u http_proxy -u https_proxy -u all_proxy -u NODE_USE_ENV_PROXY';
const door = `D=$(echo "$HTTP_PROXY" | sed 's/.*://'); B=$(echo "$HTTP_PROXY" | sed 's#http://##; s#@.*##' | tr -d '\\n' | base64 -w0)`;
const say = (text: string) => `${door}; exec 3<>/dev/tcp/127.0.0.1/$D; printf '${text}' >&3; timeout 3 cat <&3`;
/** What leaves a filtered network if anything does, by shell; `withPlaces` says where the canary is. */
export const NETWORK_TRIES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['private', 'here', 'six', 'mapped', 'metadata', 'mixed', 'none'].map((name) => [
      `a name that leads to what is private: ${name}`,
      `curl -sS -m 5 http://${name}.example:${P}/; curl -sS -m 5 -p http://${name}.example:${P}/; curl -sSk -m 5 https://${name}.example:${P}/`,
    ]),
  ),
  ...Object.fromEntries(
    ['127.0.0.1', '[::1]', 'localhost', '2130706433', '0x7f.1', '[::ffff:7f00:1]', 'here.example', '169.254.169.254', '10.0.0.1'].map((host) => [
      `a redirect to ${host}`,
      `curl -sS -g -L -m 5 --noproxy '' "http://open.example:${O}/to?http://${host}:${P}/"; curl -sS -g -L -m 5 "http://open.example:${O}/to?http://${host}:${P}/"; node -e 'fetch(process.argv[1]).then((a) => a.text()).then(console.log, console.log)' "http://open.example:${O}/to?http://${host}:${P}/"`,
    ]),
  ),
  'a redirect to another scheme': `for s in ftp gopher telnet dict file; do curl -sS -L -m 5 --proto-redir =all "http://open.example:${O}/to?$s://127.0.0.1:${P}/"; done`,
  'a WebSocket through the proxy': `for h in 127.0.0.1 [::1] here.example; do node -e 'const s = new WebSocket(process.argv[1]); s.onerror = () => console.log("no"); s.onopen = () => console.log("CANARY")' ws://$h:${P}/; done`,
  'an upgrade': `curl -sS -m 5 --noproxy '' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' http://127.0.0.1:${P}/`,
  'an environment without the proxy': `${bare} curl -sS -m 5 http://127.0.0.1:${P}/; ${bare} curl -sS -m 5 http://open.example:${P}/; env -i /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/${'$0'}' ${P}`,
  'a proxy of its own choice': `curl -sS -m 5 -x http://127.0.0.1:${P} http://open.example/; curl -sS -m 5 -x socks5h://127.0.0.1:$(echo $HTTP_PROXY | sed 's/.*://') http://127.0.0.1:${P}/`,
  'a tunnel asked for by hand': say('CONNECT 127.0.0.1:%s HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\n\\r\\n').replace(
    "' >&3",
    `' ${P} "$B" >&3`,
  ),
  'no pass': say('GET http://open.example:%s/ HTTP/1.1\\r\\nHost: open.example\\r\\nConnection: close\\r\\n\\r\\n').replace("' >&3", `' ${P} >&3`),
  'a Host that is not the target': say(
    'GET http://open.example:%s/ HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nProxy-Authorization: Basic %s\\r\\nConnection: close\\r\\n\\r\\n',
  ).replace("' >&3", `' ${O} ${P} "$B" >&3`),
  'a second request behind the first': say(
    'GET http://open.example:%s/ HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\n\\r\\nGET http://127.0.0.1:%s/ HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\nConnection: close\\r\\n\\r\\n',
  ).replace("' >&3", `' ${O} "$B" ${P} "$B" >&3`),
  'user information that looks like a host': `curl -sS -m 5 "http://open.example:${O}@127.0.0.1:${P}/" --noproxy ''; curl -sS -m 5 --noproxy '' "http://127.0.0.1:${P}#@open.example:${O}/"`,
  'names asked of resolvers': `node -e 'const dns = require("node:dns"); const r = new dns.promises.Resolver({ timeout: 500, tries: 1 }); r.setServers(["127.0.0.1:" + process.argv[1], "[::1]:" + process.argv[1]]); r.resolve4("canary.example").then(console.log, (e) => console.log(e.code))' ${P}; getent hosts canary.example; grep -h ^nameserver /etc/resolv.conf | while read -r _ n; do echo x > /dev/udp/$n/${P}; done`,
  'another interface': `for i in $(ls /sys/class/net); do curl -sS -m 2 --interface $i --noproxy '*' http://127.0.0.1:${P}/; done; ip link add dummy9 type dummy; ip link; ip addr add 192.0.2.9/24 dev lo; ip route add default dev lo; curl -sS -m 2 --noproxy '*' http://192.0.2.1:${P}/`,
  'raw sockets': `ping -c 1 -W 1 127.0.0.1; ping -c 1 -W 1 10.0.0.1; python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'; python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'`,
  'the network of another process': `for p in /proc/[0-9]*; do nsenter --net=$p/ns/net curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; done; nsenter -t 1 -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; nsenter -t $PPID -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/`,
  'a network of its own': `unshare -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; unshare -Urn curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; unshare -Ur nsenter -t 1 -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/`,
  'descriptors it has inherited': `for f in /proc/self/fd/*; do nsenter --net=$f curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; done; for f in /proc/$$/fd/*; do readlink $f; done | grep -E 'net:|user:' && echo CANARY`,
  'a socket in the file system': `curl -sS -m 5 --unix-socket $CANARY_PATH http://x/; ls -l $CANARY_PATH`,
  'an abstract socket': `curl -sS -m 5 --abstract-unix-socket $CANARY_NAME http://x/`,
  'git, npm and wget': `git ls-remote http://127.0.0.1:${P}/x.git; git -c http.proxy= ls-remote http://here.example:${P}/x.git; npm view x --registry http://here.example:${P}/ --fetch-retries 0; wget -q -T 5 -t 1 -O- http://here.example:${P}/; GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=no' timeout 5 git ls-remote ssh://127.0.0.1:${P}/x.git`,
};

/** The command with what it has to know. */
export function withPlaces(command: string, canary: Canary, originPort: number): string {
  const known = { CANARY_PORT: canary.port, ORIGIN_PORT: originPort, CANARY_PATH: canary.path, CANARY_NAME: canary.abstractName };
  return `${Object.entries(known)
    .map(([name, value]) => `export ${name}='${value}'`)
    .join('\n')}\n${command}`;
}
