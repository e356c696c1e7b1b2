import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { PipeTransport } from './pipe-transport.ts';

interface Pipe {
  readonly input: PassThrough;
  readonly transport: PipeTransport;
  readonly heard: object[];
  readonly endings: unknown[];
}

function openPipe(onmessage?: (message: object) => void): Pipe {
  const input = new PassThrough();
  const transport = new PipeTransport(new PassThrough(), input);
  const heard: object[] = [];
  const endings: unknown[] = [];
  transport.onmessage = (message) => {
    heard.push(message);
    onmessage?.(message);
  };
  transport.onclose = (reason) => endings.push(reason);
  return { input, transport, heard, endings };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('W12: messages come whole and in order, however they are cut', async () => {
  const { input, heard, endings } = openPipe();
  for (const byte of Buffer.from('{"a":"\u00fc"}\0{"b":2}\0{"c"')) input.write(Buffer.from([byte]));
  input.write(':3}\0{"d":4}\0');
  await turns(60);
  assert.deepEqual([heard, endings], [[{ a: '\u00fc' }, { b: 2 }, { c: 3 }, { d: 4 }], []]);
});

test('W12: a message without an end, one that is none, and one that cannot be followed end the browser and not the gateway', async () => {
  const endless = openPipe();
  for (let count = 0; count < 70; count += 1) {
    endless.input.write(Buffer.alloc(1024 * 1024, 'x'));
    await turns(1);
  }
  const noise = openPipe();
  noise.input.write('{"a":1}\0nonsense\0{"b":2}\0');
  const faulty = openPipe(() => {
    throw new Error('not followed');
  });
  faulty.input.write('{"a":1}\0{"b":2}\0');
  await turns(10);
  for (const { endings, input } of [endless, noise, faulty]) assert.deepEqual([endings.length, input.destroyed], [1, true]);
  assert.deepEqual([endless.heard, noise.heard, faulty.heard], [[], [{ a: 1 }], [{ a: 1 }]]);
});

test('W12: while many messages wait, no more are read; all of them come', async () => {
  const { input, heard, endings } = openPipe();
  input.write('{"n":1}\0'.repeat(5_000));
  await turns(3);
  assert.ok(input.isPaused());
  input.write('{"n":2}\0'.repeat(5_000));
  await turns(50);
  assert.ok(input.readableLength > 0, 'what came meanwhile is still in the pipe');
  while (heard.length < 10_000) await turns(1);
  assert.deepEqual([endings, input.isPaused(), heard.at(-1)], [[], false, { n: 2 }]);
});
