import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRIVATE_HOSTS, until } from '@tendon/testing';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openCanary } from './canary-rig.ts';
import { openPages, type Pages, told } from './page-rig.ts';

test('W14: 60 ways to write an address of this machine or a private network open nothing', async () => {
  await using canary = await openCanary();
  await using rig = await openPages({});
  assert.ok(PRIVATE_HOSTS.length >= 60, String(PRIVATE_HOSTS.length));
  // Whether the last has an address depends on the machine's resolver.
  for (const host of [...PRIVATE_HOSTS, 'app.localhost']) {
    const result = await rig.run('browser_navigate', { url: `http://${host}:${canary.port}/secret` });
    assert.match(result.error?.code ?? textOf(result), /^(?:address_refused|unknown_host)$/, `${host}: ${textOf(result).slice(0, 200)}`);
    assert.doesNotMatch(textOf(result), /\/secret\b.*\nSnapshot/, host);
  }
  assert.equal((await rig.run('browser_navigate', { url: `https://127.0.0.1:${canary.port}/` })).error?.code, 'address_refused');
  assert.equal(canary.touched(), 0);
});

test('W14: a page that is allowed leads nowhere else: redirects of every kind', async () => {
  await using canary = await openCanary();
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
    await told(rig, await rig.open(path), /leads to 127\.0\.0\.1, which is on this machine/);
  }
  assert.doesNotMatch(await rig.open('/file'), /root:/);
  assert.equal(canary.touched(), 0);
});

test('W14: what a page loads by itself does not get out either, and is told', async () => {
  await using canary = await openCanary();
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
  await until({ what: 'the canary to be reached', check: () => canary.touched() > 0, pollMs: 20 });
});

test('W3, W14: what is refused to the parts of a page is not why another one does not load', async () => {
  const pages: Pages = {
    '/': '<title>Busy</title><script>setInterval(() => fetch("http://10.0.0.1/", { mode: "no-cors" }).catch(() => {}), 1)</script>',
    '/broken': (_asked, answer) => setTimeout(() => answer.destroy(), 300),
  };
  await using rig = await openPages(pages);
  await rig.open('/');
  const result = await rig.run('browser_navigate', { url: `${rig.url}/broken` });
  assert.equal(result.error?.code, 'not_loaded', textOf(result));
});

test('W16: the browser never opens the server that steers it, nor its own proxy', async () => {
  await using canary = await openCanary();
  await using rig = await openPages({}, { reserved: [{ host: '127.0.0.1', port: canary.port }] });
  rig.bench.allow.push('localhost', '127.0.0.0/8', '::1', '0.0.0.0');
  for (const host of ['127.0.0.1', 'localhost', '127.7.7.7', '0', '[::1]']) {
    const result = await rig.run('browser_navigate', { url: `http://${host}:${canary.port}/` });
    assert.deepEqual([result.error?.code, /door of Tendon/.test(textOf(result))], ['address_refused', true], host);
  }
  assert.equal(canary.touched(), 0);
});
