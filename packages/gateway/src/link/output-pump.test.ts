import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { GatewaySocket } from './gateway-socket.ts';
import { OutputPump } from './output-pump.ts';

interface Packet {
  callId: string;
  offset: number;
  text: string;
}

function rig() {
  const packets: Packet[] = [];
  const socket: GatewaySocket = {
    request: () => Promise.reject(new Error('not used')),
    isWritable: true,
    hint: (_name, payload) => packets.push(payload as Packet),
    close: () => undefined,
  };
  return { packets, pump: new OutputPump(() => socket) };
}

test('G8: pieces of 30 ms are joined, offsets count UTF-16 units', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { packets, pump } = rig();
  pump.add('a', 'h\u{1F98A}');
  pump.add('a', 'llo\n');
  mock.timers.tick(30);
  pump.add('a', 'x');
  pump.finish('a');
  assert.deepEqual(packets, [
    { callId: 'a', offset: 0, text: 'h\u{1F98A}llo\n' },
    { callId: 'a', offset: 7, text: 'x' },
  ]);
  pump.close();
});

test('G8: all calls together send one packet a turn, each in its turn', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { packets, pump } = rig();
  for (let round = 0; round < 100; round += 1) {
    for (const callId of ['a', 'b', 'c']) pump.add(callId, '.');
    mock.timers.tick(10);
  }
  assert.ok(packets.length <= 34, `${packets.length} packets in a second`);
  for (const callId of ['a', 'b', 'c']) assert.ok(packets.filter((packet) => packet.callId === callId).length >= 10);
  pump.close();
});

test('G8: a flood keeps its newest part, at the right offset, in bounded memory', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { packets, pump } = rig();
  let all = '';
  for (let index = 0; index < 3_000; index += 1) {
    const piece = `${index}\u{1F98A} line\n`.repeat(5);
    all += piece;
    pump.add('a', piece);
  }
  mock.timers.tick(30);
  const packet = packets[0];
  assert.ok(packet && packet.text.length <= 64 * 1024);
  assert.equal(all.slice(packet.offset), packet.text);
  assert.ok(packet.text.isWellFormed());
  pump.close();
});

test('G8: a slow connection is waited for, and nothing is lost below the bound', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const packets: Packet[] = [];
  const line = { isWritable: false };
  const socket: GatewaySocket = {
    request: () => Promise.reject(new Error('not used')),
    get isWritable() {
      return line.isWritable;
    },
    hint: (_name, payload) => packets.push(payload as Packet),
    close: () => undefined,
  };
  const pump = new OutputPump(() => socket);
  for (const text of ['a', 'b', 'c']) {
    pump.add('x', text);
    mock.timers.tick(30);
  }
  assert.deepEqual(packets, []);
  line.isWritable = true;
  mock.timers.tick(30);
  assert.deepEqual(packets, [{ callId: 'x', offset: 0, text: 'abc' }]);
  pump.close();
});
