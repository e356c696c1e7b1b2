import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, says } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

/* The agent's own browser as a person sees it: what it is about to do, the picture that it took, the file that it kept. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const site = createServer((request, response) => {
  if (request.url === '/report.csv') {
    response.writeHead(200, { 'Content-Type': 'text/csv', 'Content-Disposition': 'attachment; filename="report.csv"' });
    response.end('a,b\n1,2\n');
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>Orders</title><h1>Orders</h1><form onsubmit="document.title = 'Found ' + this.q.value; return false">
    <label>Search <input name=q></label> <button>Find</button></form><a href="/report.csv">Report</a>`);
});
site.listen(0, '127.0.0.1');
await new Promise((resolve) => site.once('listening', resolve));
after(() => site.close());
const { port } = site.address() as AddressInfo;
const url = `http://localhost:${port}/`;
await writeFile(join(rig.product.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [], network: { allow: [`localhost:${port}`] } }));

test('U15, W2, W7, W9: an address is approved, a field filled by its name, a picture shown, a file kept; on a phone', async () => {
  const device = await rig.device({ viewport: PHONE });
  await device.open();
  rig.model.script(
    [calls({ name: 'browser_navigate', input: { url } })],
    [calls({ name: 'browser_fill', input: { ref: 'e5', element: 'textbox "Search"', text: 'shoes', submit: true } })],
    [calls({ name: 'browser_screenshot', input: {} })],
    [calls({ name: 'browser_download', input: { ref: 'e7', element: 'link "Report"' } })],
    says('That is the report.'),
  );
  await device.say('get me the report');
  await device.approval.getByText(url).waitFor();
  await device.button('Approve').click();
  await device.approval.getByText('textbox "Search"').first().waitFor();
  await device.button('Approve').click();
  await device.approval.getByText('link "Report"').first().waitFor();
  await device.button('Approve').click();
  await device.answered('That is the report.').waitFor();
  assert.equal(await readFile(join(rig.workspace, 'downloads', 'report.csv'), 'utf8'), 'a,b\n1,2\n');
  const picture = device.page.getByRole('img', { name: 'Image 1 of the answer' });
  if (!(await picture.isVisible())) await device.calls.filter({ hasText: 'Take a picture' }).getByRole('button').first().click();
  const width = await picture.evaluate(async (image: HTMLImageElement) => {
    await image.decode();
    return image.naturalWidth;
  });
  assert.ok(width > 100, `the picture is ${width} wide`);
  assert.deepEqual(await seriousFaults(device.page, 'what the browser did'), []);
});

test('W15: an address of the private network is refused with what its owner can do, and the model is told', async () => {
  const device = await rig.device();
  await device.open();
  rig.model.script([calls({ name: 'browser_navigate', input: { url: 'http://192.168.1.1/' } })], says('It may not.'));
  await device.say('open the router');
  await device.button('Approve').click();
  await device.answered('It may not.').waitFor();
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /192\.168\.1\.1.*network.*allow/);
});
