import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Response as Answer, BrowserContext, Page, Request } from 'playwright-core';
import { allRows } from '../attacks/isolation-rig.ts';
import { browserRig, eventually, freshLink } from './browser-rig.ts';
import { relayMachine } from './relay-machine.ts';

/*
 * A person is signed in to the server and to a relay, and opens a page of somebody else in the same browser: at another port of the same host,
 * where their cookies go along, and under another name. The page tries all that a page can do to another origin. Judged by effects: what the
 * database holds, whether the person is still signed in, whether links are still whole, and what the page could read.
 */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));
const machine = await relayMachine(rig);
after(() => machine[Symbol.asyncDispose]());

const evil = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>evil</title><p>evil</p>');
});
evil.listen(0, '127.0.0.1');
await once(evil, 'listening');
after(() => {
  evil.close();
  evil.closeAllConnections();
});
const evilPort = (evil.address() as AddressInfo).port;

const TARGETS = ['server', 'relay'] as const;
type Target = (typeof TARGETS)[number];

/** What a page would like to have asked, with a body that would do it. */
const DEEDS: readonly (readonly [string, string])[] = [
  ['/api/keys', '{"name":"stolen"}'],
  ['/api/invitations', '{"name":"Eve","role":"owner"}'],
  ['/api/account', '{"name":"owned"}'],
  ['/api/pair', '{"kind":"terminal","name":"evil"}'],
  ['/api/auth/session-token', '{}'],
  ['/api/devices/sign-out-others', '{}'],
  ['/api/auth/sign-out', '{}'],
];
const SECRETS = ['/api/me', '/api/keys', '/api/people', '/', '/icon.svg', '/theme.js', '/socket.io/?EIO=4&transport=polling'];

/** Runs in the evil page, and says what it could read. */
type InPage = (target: { readonly origin: string; readonly deeds: typeof DEEDS; readonly secrets: typeof SECRETS }) => Promise<string[]>;

const inPage: Readonly<Record<string, InPage>> = {
  'an image': async ({ origin, secrets }) => {
    const tries = secrets.map(async (path) => {
      const image = new Image();
      const isLoaded = await new Promise((resolve) => {
        image.onload = () => resolve(true);
        image.onerror = () => resolve(false);
        image.src = origin + path;
      });
      return isLoaded ? [`${path}: ${image.naturalWidth} wide`] : [];
    });
    return (await Promise.all(tries)).flat();
  },
  'a script': async ({ origin, secrets }) => {
    const known = new Set(Object.keys(window));
    const tries = secrets.map(async (path) => {
      const script = document.createElement('script');
      const isLoaded = await new Promise((resolve) => {
        script.onload = () => resolve(true);
        script.onerror = () => resolve(false);
        script.src = origin + path;
        document.head.append(script);
      });
      return isLoaded ? [path] : [];
    });
    return [...(await Promise.all(tries)).flat(), ...Object.keys(window).filter((name) => !known.has(name))];
  },
  'a style sheet': async ({ origin, secrets }) => {
    const tries = secrets.map(async (path) => {
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet' });
      const isLoaded = await new Promise((resolve) => {
        link.onload = () => resolve(true);
        link.onerror = () => resolve(false);
        link.href = origin + path;
        document.head.append(link);
      });
      return isLoaded ? [path] : [];
    });
    return (await Promise.all(tries)).flat();
  },
  'a frame': async ({ origin, secrets }) => {
    const tries = secrets.map(async (path) => {
      const frame = document.createElement('iframe');
      await new Promise((resolve) => {
        frame.onload = resolve;
        frame.src = origin + path;
        document.body.append(frame);
      });
      try {
        const text = frame.contentDocument?.body.textContent ?? '';
        return text === '' ? [] : [`${path}: ${text}`];
      } catch {
        return [];
      }
    });
    return (await Promise.all(tries)).flat();
  },
  'forms into a frame': async ({ origin, deeds }) => {
    const read: string[] = [];
    for (const [path, body] of deeds) {
      const frame = Object.assign(document.createElement('iframe'), { name: `into ${path}` });
      document.body.append(frame);
      const form = Object.assign(document.createElement('form'), { method: 'post', enctype: 'text/plain', action: origin + path, target: frame.name });
      form.append(Object.assign(document.createElement('input'), { name: `${body.slice(0, -1)},"x":"`.replace('{,', '{'), value: '"}' }));
      document.body.append(form);
      await new Promise((resolve) => {
        frame.onload = resolve;
        form.submit();
      });
      try {
        const text = frame.contentDocument?.body.textContent ?? '';
        if (text !== '') read.push(`${path}: ${text}`);
      } catch {
        // Another origin, as it should be.
      }
    }
    return read;
  },
  'looking ahead': async ({ origin, secrets }) => {
    const tries = secrets.map(async (path) => {
      const link = Object.assign(document.createElement('link'), { rel: 'prefetch' });
      const isLoaded = await new Promise((resolve) => {
        link.onload = () => resolve(true);
        link.onerror = () => resolve(false);
        link.href = origin + path;
        document.head.append(link);
      });
      return isLoaded ? [path] : [];
    });
    return (await Promise.all(tries)).flat();
  },
  beacons: async ({ origin, deeds }) => {
    for (const [path, body] of deeds)
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json'])
        navigator.sendBeacon(origin + path, new Blob([body], { type }));
    return [];
  },
  'a blind fetch': async ({ origin, deeds, secrets }) => {
    const options: RequestInit = { mode: 'no-cors', credentials: 'include' };
    const tries: [string, Promise<Response>][] = [
      ...secrets.map((path): [string, Promise<Response>] => [path, fetch(origin + path, options)]),
      ...deeds.map(([path, body]): [string, Promise<Response>] => [path, fetch(origin + path, { ...options, method: 'POST', body })]),
    ];
    const read = tries.map(async ([path, answer]) => {
      const text = await answer.then((response) => response.text()).catch(() => '');
      return text === '' ? [] : [`${path}: ${text}`];
    });
    return (await Promise.all(read)).flat();
  },
  'a fetch': async ({ origin, deeds, secrets }) => {
    const json = { 'content-type': 'application/json', 'x-requested-with': 'tendon' };
    const tries: [string, RequestInit][] = [
      ...secrets.map((path): [string, RequestInit] => [path, {}]),
      ...deeds.flatMap(([path, body]): [string, RequestInit][] => [
        [path, { method: 'POST', body }],
        [path, { method: 'POST', body, headers: json }],
      ]),
      ['/api/keys/0192a7c0-0000-7000-8000-000000000001', { method: 'DELETE' }],
    ];
    const read = tries.map(async ([path, options]) => {
      const text = await fetch(origin + path, { credentials: 'include', ...options })
        .then((response) => response.text())
        .catch(() => undefined);
      return text === undefined ? [] : [`${path}: ${text}`];
    });
    return (await Promise.all(read)).flat();
  },
  'a socket': async ({ origin }) => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    return new Promise((resolve) => {
      socket.onopen = () => resolve(['open']);
      socket.onmessage = ({ data }) => resolve([String(data)]);
      socket.onerror = () => resolve([]);
    });
  },
  'a stream of events': async ({ origin, secrets }) => {
    const tries = secrets.map(async (path) => {
      const source = new EventSource(origin + path, { withCredentials: true });
      const heard = await new Promise<string[]>((resolve) => {
        source.onopen = () => resolve([`${path}: open`]);
        source.onmessage = ({ data }) => resolve([`${path}: ${data}`]);
        source.onerror = () => resolve([]);
      });
      source.close();
      return heard;
    });
    return (await Promise.all(tries)).flat();
  },
};

const ENCODINGS = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'] as const;

/** One form of the page itself, as if its person had pressed a button: the browser goes where it leads. */
async function submitForm(page: Page, form: { readonly action: string; readonly body: string; readonly encoding: string }): Promise<void> {
  await page.evaluate(({ action, body, encoding }) => {
    const element = Object.assign(document.createElement('form'), { method: 'post', enctype: encoding, action });
    // In plain text `name=value`: one object of JSON. In the others the fields of that object.
    const fields: [string, string][] =
      encoding === 'text/plain' ? [[`${body.slice(0, -1)},"x":"`.replace('{,', '{'), '"}']] : Object.entries(JSON.parse(body) as Record<string, string>);
    for (const [name, value] of fields) element.append(Object.assign(document.createElement('input'), { name, value }));
    document.body.append(element);
    element.submit();
  }, form);
  await page.waitForURL(form.action);
}

/** The window that it has opened itself is looked into. */
async function lookInto(page: Page, address: string): Promise<string[]> {
  const opening = page.context().waitForEvent('page');
  await page.evaluate((url) => Object.assign(window, { opened: window.open(url) }), address);
  const opened = await opening;
  await opened.waitForLoadState('load').catch(() => undefined);
  const read = await page.evaluate(() => {
    const { opened } = window as unknown as { opened: Window | null };
    const found: string[] = [];
    for (const look of [() => opened?.document.body.textContent, () => opened?.location.href, () => (opened as unknown as { name: string } | null)?.name]) {
      try {
        const seen = look();
        if (seen) found.push(seen);
      } catch {
        // Another origin, as it should be.
      }
    }
    opened?.postMessage({ type: 'sign-out' }, '*');
    return found;
  });
  const turned = await opened.evaluate(() => window.opener !== null && document.body.textContent?.includes('Tendon')).catch(() => false);
  await opened.close();
  return turned ? [...read, 'a page of ours knows its opener'] : read;
}

interface Asked extends AsyncDisposable {
  /** Resolves when all of it has come to its end. */
  settled(): Promise<void>;
  /** What the browser was made to ask of this origin, with the status of the answer; undefined when it was kept from whoever asked. */
  of(origin: string): readonly { readonly path: string; readonly isVisit: boolean; readonly status: number | undefined }[];
}

/** Whatever is asked from now on by pages that are not the person's own. */
function listen(): Asked {
  const asked = new Map<Request, number | undefined>();
  const open = new Set<Request>();
  // What leads to a new window has no frame yet; the person's own pages lead nowhere meanwhile.
  const isOwn = (request: Request) => !request.isNavigationRequest() && own.has(request.frame().page());
  const onRequest = (request: Request) => {
    if (isOwn(request)) return;
    asked.set(request, undefined);
    open.add(request);
  };
  const onResponse = (response: Answer) => void (asked.has(response.request()) && asked.set(response.request(), response.status()));
  const onEnd = (request: Request) => void open.delete(request);
  context.on('request', onRequest).on('response', onResponse).on('requestfinished', onEnd).on('requestfailed', onEnd);
  return {
    settled: () => eventually(() => assert.equal(open.size, 0)),
    of: (origin) =>
      [...asked]
        .filter(([request]) => request.url().startsWith(`${origin}/`))
        .map(([request, status]) => ({ path: request.url().slice(origin.length), isVisit: request.isNavigationRequest(), status })),
    [Symbol.asyncDispose]: async () => {
      context.off('request', onRequest).off('response', onResponse).off('requestfinished', onEnd).off('requestfailed', onEnd);
    },
  };
}

/** How many requests the server's door has refused. What a browser asks blindly it tells nobody of. */
async function refusedAtDoor(): Promise<number> {
  const figures = await (await fetch(`${rig.url}/metrics`)).text();
  return Number(/^tendon_refusals_total\{where="http",code="forbidden_origin"\} (\d+)$/m.exec(figures)?.[1]);
}

let context: BrowserContext;
let origins: Readonly<Record<Target, string>>;
const own = new Set<Page>();

/** A browser whose person is signed in to both, with both pages open. Beyond single tests: `endDevices` would close it. */
before(async () => {
  context = await rig.browser.newContext();
  const atServer = await context.newPage();
  await atServer.goto(await freshLink(rig));
  await atServer.goto(`${rig.url}/pair?code=${await machine.code()}`);
  await atServer.getByRole('button', { name: 'Let it in', exact: true }).click();
  await atServer.getByText('is let in').waitFor();
  await atServer.goto(rig.url);
  await machine.said(/The page for a browser on this machine: http/);
  origins = { server: rig.url, relay: new URL(machine.lastLink()).origin };
  const atRelay = await context.newPage();
  await atRelay.goto(machine.lastLink());
  for (const page of [atServer, atRelay]) {
    own.add(page);
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
  }
});
after(() => context.close());

/** What the attacks must not have changed. */
const everything = () => allRows(rig.product);

async function stillIn(): Promise<void> {
  for (const page of own) {
    await page.reload();
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
  }
}

for (const target of TARGETS) {
  for (const host of ['127.0.0.1', 'localhost']) {
    describe(`H1, H10, L1: a page at ${host}, on another port, against the ${target}`, () => {
      /** Opens the page, lets it do something, and looks at what came of it. Only a window of its own may be a visit of the page that is the same for everybody. */
      const attack = async (how: (page: Page, origin: string) => Promise<string[]>, mayVisit = false): Promise<void> => {
        const rows = await everything();
        await using asked = listen();
        const refused = await refusedAtDoor();
        const page = await context.newPage();
        await page.goto(`http://${host}:${evilPort}/`);
        try {
          assert.deepEqual(await how(page, origins[target]), [], 'it could read');
          // Windows are closed again, with what they are still about.
          if (!mayVisit) await asked.settled();
          const answers = asked.of(origins[target]);
          // Each of them was sent, and it was our door that refused it; only the server counts them.
          if (target === 'server' && !mayVisit) await eventually(async () => assert.ok((await refusedAtDoor()) - refused >= Math.max(1, answers.length)));
          const good = answers.filter(({ status }) => status !== undefined && status < 400);
          assert.deepEqual(mayVisit ? good.filter(({ path, isVisit }) => isVisit && path !== '/') : good, [], 'it was answered');
        } finally {
          await page.close();
        }
        assert.deepEqual(await everything(), rows);
      };

      for (const [way, run] of Object.entries(inPage))
        test(`H1, H10: by ${way}: nothing is read, and nothing changes`, () =>
          attack((page, origin) => page.evaluate(run, { origin, deeds: DEEDS, secrets: SECRETS })));

      for (const encoding of ENCODINGS)
        test(`H1, H10: by forms of ${encoding} that lead there: nothing changes`, () =>
          attack(async (page, origin) => {
            for (const [path, body] of DEEDS) {
              await page.goto(`http://${host}:${evilPort}/`);
              await submitForm(page, { action: origin + path, body, encoding });
            }
            return [];
          }));

      test('H1, H3: by a window that it opens: nothing is seen in it', () =>
        attack(async (page, origin) => {
          const read: string[] = [];
          for (const path of SECRETS) read.push(...(await lookInto(page, origin + path)));
          return read;
        }, true));

      test('H10, H23: and its person is signed in still, at both', stillIn);
    });
  }
}

test('H5: a page that looks ahead at a sign-in link does not use it up', async () => {
  const link = await freshLink(rig);
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${evilPort}/`);
  await page.evaluate(async (href) => {
    const attempt = (element: HTMLElement, attribute: 'href' | 'src') =>
      new Promise((resolve) => {
        element.onload = element.onerror = resolve;
        element.setAttribute(attribute, href);
        document.head.append(element);
      });
    await attempt(Object.assign(document.createElement('link'), { rel: 'prefetch' }), 'href');
    await attempt(document.createElement('img'), 'src');
    await fetch(href, { mode: 'no-cors', credentials: 'include' }).catch(() => undefined);
  }, link);
  await page.close();
  const stranger = await rig.stranger();
  await stranger.goto(link);
  await stranger.getByRole('textbox', { name: 'Message' }).waitFor();
});
