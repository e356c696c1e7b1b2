import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { type TestContext, test } from 'node:test';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openPages, type Pages } from './page-rig.ts';

interface Canary {
  readonly port: number;
  readonly touched: () => number;
}

/** Listens on everything and must never be reached, by TCP or UDP. */
async function openCanary(t: TestContext): Promise<Canary> {
  let touched = 0;
  const server: Server = createServer((socket) => {
    touched += 1;
    socket.destroy();
  });
  server.listen({ port: 0, host: '::', ipv6Only: false });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', () => {
    touched += 1;
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  t.after(() => {
    server.close();
    udp.close();
  });
  return { port, touched: () => touched };
}

const HOSTS = [
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '127.255.255.254',
    '127.0.0.1.',
    '0',
    '0.0.0.0',
    '0x0',
    '00',
  ],
  ...[
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[::127.0.0.1]',
  ],
  ...[
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '0xc0a80001',
    '3232235521',
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '100.64.0.1',
    '100.100.100.200',
  ],
  ...['192.0.0.192', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
  ...['[fe80::1]', '[fc00::1]', '[fd00:ec2::254]', '[ff02::1]', '[2001:db8::1]', '[2001::1]', '[fec0::1]', '[100::1]', '[64:ff9b:1::1]'],
  ...[
    'localhost',
    'LOCALHOST',
    'localhost.',
    'app.localhost',
    '\uff11\uff12\uff17.0.0.1',
    '127\u30020\u30020\u30021',
    '\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3',
    '%6cocalhost',
    hostname(),
  ],
];

test('W14: 60 ways to write an address of this machine or a private network open nothing', async (t) => {
  const canary = await openCanary(t);
  await using rig = await openPages({});
  assert.ok(HOSTS.length >= 60, String(HOSTS.length));
  for (const host of HOSTS) {
    const result = await rig.run('browser_navigate', { url: `http://${host}:${canary.port}/secret` });
    assert.match(result.error?.code ?? textOf(result), /^(?:address_refused|unknown_host)$/, `${host}: ${textOf(result).slice(0, 200)}`);
    assert.doesNotMatch(textOf(result), /\/secret\b.*\nSnapshot/, host);
  }
  assert.equal((await rig.run('browser_navigate', { url: `https://127.0.0.1:${canary.port}/` })).error?.code, 'address_refused');
  assert.equal(canary.touched(), 0);
});

test('W14: a page that is allowed leads nowhere else: redirects of every kind', async (t) => {
  const canary = await openCanary(t);
  const away = `http://127.0.0.1:${canary.port}/`;
  const redirects = Object.fromEntries(
    [301, 302, 303, 307, 308].map((status): [string, Pages[string]] => [`/${status}`, (_asked, answer) => answer.writeHead(status, { location: away }).end()]),
  );
  const pages: Pages = {
    ...redirects,
    '/meta': `<meta http-equiv=refresh content="0;url=${away}">`,
    '/script': `<script>location.href = ${JSON.stringify(away)}</script>`,
    '/form': `<form method=post action="${away}"><input name=a value=b></form><script>document.forms[0].submit()</script>`,
    '/twice': (_asked, answer) => answer.writeHead(302, { location: '/302' }).end(),
    '/refresh': (_asked, answer) => answer.writeHead(200, { refresh: `0;url=${away}`, 'content-type': 'text/html' }).end('x'),
    '/file': '<script>location.href = "file:///etc/passwd"</script>Still here',
  };
  await using rig = await openPages(pages);
  for (const status of ['301', '302', '303', '307', '308', 'twice']) {
    const result = await rig.run('browser_navigate', { url: `${rig.url}/${status}` });
    assert.equal(result.error?.code, 'address_refused', `${status}: ${textOf(result)}`);
    assert.match(textOf(result), /"network": \{"allow": \["localhost:\d+"\]\}/);
  }
  for (const path of ['/meta', '/script', '/form', '/refresh']) {
    await rig.open(path);
    assert.match(textOf(await rig.run('browser_wait', { ms: 300 })) + path, /./);
  }
  assert.doesNotMatch(await rig.open('/file'), /root:/);
  assert.equal(canary.touched(), 0);
});

test('W14: what a page loads by itself does not get out either, and is told', async (t) => {
  const canary = await openCanary(t);
  const away = `http://127.0.0.1:${canary.port}`;
  const page = `<title>Busy</title><link rel=stylesheet href="${away}/css"><link rel=dns-prefetch href="//localhost:${canary.port}"><link rel=preconnect href="${away}">
    <link rel=prefetch href="${away}/pre"><img src="${away}/img"><iframe src="${away}/frame"></iframe><object data="${away}/object"></object><video src="${away}/video"></video>
    <script src="${away}/js"></script><script>
    fetch('${away}/fetch', { mode: 'no-cors' }).catch(() => {}); navigator.sendBeacon('${away}/beacon', 'x');
    new WebSocket('ws://127.0.0.1:${canary.port}/ws'); new WebSocket('wss://localhost:${canary.port}/wss'); new EventSource('${away}/events');
    try { new Worker(URL.createObjectURL(new Blob(['fetch("${away}/worker", { mode: "no-cors" })']))); } catch {}
    try { const peer = new RTCPeerConnection({ iceServers: [{ urls: ['stun:127.0.0.1:${canary.port}', 'turn:127.0.0.1:${canary.port}?transport=tcp', 'turn:127.0.0.1:${canary.port}'], username: 'a', credential: 'b' }] });
      peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer)); } catch {}
    try { new WebTransport('https://127.0.0.1:${canary.port}/wt').ready.catch(() => {}); } catch {}
    try { window.open('${away}/popup'); } catch {}
    </script>`;
  await using rig = await openPages({ '/': page });
  const first = await rig.open('/');
  const later = textOf(await rig.run('browser_wait', { ms: 2_000 }));
  assert.match(first + later, /Refused by this machine's network rules: 127\.0\.0\.1:\d+ leads to/);
  assert.equal(canary.touched(), 0);
  // The same page reaches it as soon as the owner allows it: the canary would have noticed.
  rig.bench.allow.push(`localhost:${canary.port}`);
  await rig.open('/');
  await rig.run('browser_wait', { ms: 300 });
  assert.ok(canary.touched() > 0);
});

test('W16: the browser never opens the server that steers it, nor its own proxy', async (t) => {
  const canary = await openCanary(t);
  await using rig = await openPages({}, { reserved: [{ host: '127.0.0.1', port: canary.port }] });
  rig.bench.allow.push('localhost', '127.0.0.0/8', '::1', '0.0.0.0');
  for (const host of ['127.0.0.1', 'localhost', '127.7.7.7', '0', '[::1]']) {
    const result = await rig.run('browser_navigate', { url: `http://${host}:${canary.port}/` });
    assert.deepEqual([result.error?.code, /door of Tendon/.test(textOf(result))], ['address_refused', true], host);
  }
  assert.equal(canary.touched(), 0);
});
