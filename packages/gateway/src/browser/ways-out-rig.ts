import { isIP } from 'node:net';

/** Markup and script by which a page goes to each of these places (a host as somebody has written it, with a port). */
export type Way = (places: readonly string[]) => string;

const script = (code: string): string => `<script>${code}</script>`;
const quoted = (text: string): string => JSON.stringify(text);
const http = (place: string): string => `http://${place}/`;
const urls = (places: readonly string[]): string => JSON.stringify(places.map(http));

function each(markup: (url: string, place: string) => string): Way {
  return (places) => places.map((place) => markup(http(place), place)).join('\n');
}

/** In a document of its own, which it leaves. */
function framed(markup: (url: string) => string): Way {
  return each((url) => `<iframe srcdoc="${markup(url).replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>`);
}

/** What `code` does with every `url`; a load that fails fails alone. */
function called(code: string): Way {
  return (places) => script(`for (const url of ${urls(places)}) { try { Promise.resolve(${code}).catch(() => {}) } catch {} }`);
}

function styled(css: (url: string) => string): Way {
  return each((url) => `<p style="${css(`url('${url}')`)}">x</p>`);
}

/** One worker goes to all of them. */
function worked(kind: string, code: string): Way {
  return (places) => {
    const body = `for (const url of ${urls(places)}) { try { Promise.resolve(${code}).catch(() => {}) } catch {} }`;
    return script(
      `new ${kind}(URL.createObjectURL(new Blob([${quoted(body)}], { type: 'text/javascript' })), { type: ${quoted(/\bimport\(/.test(code) ? 'module' : 'classic')} })`,
    );
  };
}

/** A peer of WebRTC that is told of a server for finding ways. */
function peered(server: (place: string) => string): Way {
  return (places) =>
    script(`for (const urls of ${JSON.stringify(places.map(server))}) try {
      const peer = new RTCPeerConnection({ iceServers: [{ urls, username: 'a', credential: 'b' }] });
      peer.createDataChannel('x');
      peer.createOffer().then((offer) => peer.setLocalDescription(offer));
    } catch {}`);
}

const OFFER = [
  ...['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0'],
  ...[
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
    'a=setup:actpass',
    'a=mid:0',
    'a=sctp-port:5000',
    '',
  ],
].join('\r\n');

/** A peer that is told that the other one is there, by TCP and UDP. */
const candidates: Way = (places) =>
  script(`for (const place of ${JSON.stringify(places)}) {
    const [, host, port] = /^\\[?(.*?)\\]?:(\\d+)$/.exec(place);
    const peer = new RTCPeerConnection();
    const add = (candidate) => peer.addIceCandidate({ candidate: 'candidate:1 1 ' + candidate, sdpMid: '0' });
    peer.setRemoteDescription({ type: 'offer', sdp: ${quoted(OFFER)} }).then(() => peer.createAnswer()).then((answer) => peer.setLocalDescription(answer))
      .then(() => Promise.all([add('tcp 1518280447 ' + host + ' ' + port + ' typ host tcptype passive'), add('udp 2130706431 ' + host + ' ' + port + ' typ host')])).catch(() => {});
  }`);

/** What a page loads beside itself. */
export const LOADS: Readonly<Record<string, Way>> = {
  image: each((url) => `<img src="${url}">`),
  script: each((url) => `<script src="${url}"></script>`),
  'import()': called('import(url)'),
  stylesheet: each((url) => `<link rel=stylesheet href="${url}">`),
  '@import': each((url) => `<style>@import "${url}";</style>`),
  'font of a style': each((url, place) => `<style>@font-face { font-family: "${place}"; src: url("${url}") }</style><p style='font-family: "${place}"'>x</p>`),
  'background in CSS': styled((url) => `background: ${url}`),
  'cursor in CSS': styled((url) => `cursor: ${url}, auto`),
  video: each((url) => `<video src="${url}"></video>`),
  'track of a video': each((url) => `<video crossorigin src="data:,"><track default src="${url}"></video>`),
  audio: each((url) => `<audio preload=auto src="${url}"></audio>`),
  'image in SVG': each((url) => `<svg><image href="${url}"/></svg>`),
  'filter in SVG': each((url, place) => `<svg><filter id="${place}"><feImage href="${url}"/></filter><rect width=9 height=9 filter="url('#${place}')"/></svg>`),
  fetch: called("fetch(url, { mode: 'no-cors' })"),
  XMLHttpRequest: called('((asked) => (asked.open("POST", url), asked.send("x")))(new XMLHttpRequest())'),
  sendBeacon: called("navigator.sendBeacon(url, 'x')"),
  ping: each((url) => `<a ping="${url}" href="#x">x</a>${script('document.currentScript.previousSibling.click()')}`),
  EventSource: called('new EventSource(url)'),
  WebSocket: called("new WebSocket(url.replace('http', 'ws'))"),
  prefetch: each((url) => `<link rel=prefetch href="${url}">`),
  preload: each((url) => `<link rel=preload as=script href="${url}">`),
  modulepreload: each((url) => `<link rel=modulepreload href="${url}">`),
  'fetch of a worker': worked('Worker', "fetch(url, { mode: 'no-cors' })"),
  'importScripts of a worker': worked('Worker', 'importScripts(url)'),
  'importScripts of a shared worker': worked('SharedWorker', 'importScripts(url)'),
  'TURN by TCP': peered((place) => `turn:${place}?transport=tcp`),
  'ICE candidate': candidates,
};

/** Other words for the same, or nearly so. */
export const FURTHER_LOADS: Readonly<Record<string, Way>> = {
  'image of a set': each((url) => `<img srcset="${url} 1x">`),
  'image of a button': each((url) => `<input type=image src="${url}">`),
  'module script': each((url) => `<script type=module src="${url}"></script>`),
  'font by script': called("new FontFace('x', 'url(' + url + ')').load()"),
  'content in CSS': styled((url) => `content: ${url}`),
  'mask in CSS': styled((url) => `mask-image: ${url}`),
  'shape in CSS': styled((url) => `float: left; shape-outside: ${url}`),
  'list mark in CSS': styled((url) => `display: list-item; list-style-image: ${url}`),
  'poster of a video': each((url) => `<video poster="${url}"></video>`),
  'source of a video': each((url) => `<video><source src="${url}"></video>`),
  'fetch that is asked for first': called("fetch(url, { method: 'PUT' })"),
  'fetch that outlives its page': called("fetch(url, { method: 'POST', mode: 'no-cors', keepalive: true, body: 'x' })"),
  'XMLHttpRequest that is waited for': called('((asked) => (asked.open("GET", url, false), asked.send()))(new XMLHttpRequest())'),
  'WebSocket with TLS': called("new WebSocket(url.replace('http', 'wss'))"),
  'import() of a worker': worked('Worker', 'import(url)'),
  'WebSocket of a worker': worked('Worker', "new WebSocket(url.replace('http', 'ws'))"),
  'fetch of a shared worker': worked('SharedWorker', "fetch(url, { mode: 'no-cors' })"),
  'audio worklet': called('new OfflineAudioContext(1, 1, 8000).audioWorklet.addModule(url)'),
  'paint worklet': called('CSS.paintWorklet.addModule(url)'),
  'TURN by TLS': peered((place) => `turns:${place}?transport=tcp`),
  'way to pay': called(
    "new PaymentRequest([{ supportedMethods: url.replace('http', 'https') }], { total: { label: 'x', amount: { currency: 'USD', value: '1' } } }).canMakePayment()",
  ),
};

/** Where a page, or one in it, goes itself. */
export const MOVES: Readonly<Record<string, Way>> = {
  iframe: each((url) => `<iframe src="${url}"></iframe>`),
  frame: framed((url) => `<frameset><frame src="${url}"></frameset>`),
  object: each((url) => `<object data="${url}"></object>`),
  embed: each((url) => `<embed src="${url}">`),
  'embedded PDF': each((url) => `<embed type="application/pdf" src="${url}">`),
  'submit()': framed((url) => `<form method=post action="${url}"><input name=a value=b></form>${script('document.forms[0].submit()')}`),
  'form by GET': framed((url) => `<form action="${url}"><input name=a value=b></form>${script('document.forms[0].requestSubmit()')}`),
  'anchor with download': framed((url) => `<a download href="${url}">x</a>${script('document.links[0].click()')}`),
  'meta refresh': framed((url) => `<meta http-equiv=refresh content="0;url=${url}">`),
  location: framed((url) => script(`location.href = ${quoted(url)}`)),
  'javascript:': each((url) => `<iframe src="javascript:location.replace('${url}')"></iframe>`),
};

/** What goes nowhere even where the policy allows it, and why. */
export const STAYS: Readonly<Record<string, readonly [way: Way, because: string]>> = {
  'web manifest': [each((url) => `<link rel=manifest href="${url}">`), 'a browser without a window asks for none'],
  'use in SVG': [each((url) => `<svg><use href="${url}#x"/></svg>`), 'only of its own origin'],
  'filter in CSS': [styled((url) => `filter: ${url}`), 'only of its own origin'],
  Worker: [called('new Worker(url)'), 'only of its own origin'],
  SharedWorker: [called('new SharedWorker(url)'), 'only of its own origin'],
  'importScripts of a service worker': [
    called("navigator.serviceWorker.register('/worker?' + encodeURIComponent('importScripts(' + JSON.stringify(url) + ')'))"),
    'service workers are switched off',
  ],
  WebTransport: [called("new WebTransport(url.replace('http', 'https')).ready"), 'switched off'],
  preconnect: [each((url) => `<link rel=preconnect href="${url}">`), 'connects to the proxy, and asks nothing of it'],
  'dns-prefetch': [each((_url, place) => `<link rel=dns-prefetch href="//${place}">`), 'switched off'],
  'speculation rules': [
    (places) => `<script type=speculationrules>{ "prefetch": [{ "urls": ${urls(places)}, "eagerness": "immediate" }] }</script>`,
    'only of its own site',
  ],
  STUN: [peered((place) => `stun:${place}`), 'UDP is switched off, which no proxy takes'],
  'TURN by UDP': [peered((place) => `turn:${place}?transport=udp`), 'UDP is switched off, which no proxy takes'],
};

/** A window is opened by what a person does, and not by a page. */
export const OPENS_WINDOW = 'window.open';

/** Whether a way tries an address at all: WebRTC leaves out those of one's own link, and a candidate is an address that somebody may have. */
export function isDialled(way: string, address: string): boolean {
  if (!/^(?:TURN|ICE)/.test(way)) return true;
  if (/^(?:169\.254\.|fe80:|::ffff:a9fe:)/.test(address)) return false;
  return way.startsWith('TURN') || (isIP(address) !== 0 && !['0.0.0.0', '::'].includes(address));
}
