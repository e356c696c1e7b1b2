import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeDescriptors } from '@tendon/testing';
import { lateNetwork } from './late-network.ts';

test('G53: what could not be loaded for want of a descriptor is loaded by the next request', {
  skip: process.platform !== 'linux' && 'descriptors are taken with prlimit',
}, async () => {
  const policy = { current: async () => ({ ok: true as const, policy: {} }) };
  const network = lateNetwork('https://mcp.example/', { policy, reserved: [], resolve: async () => ['192.0.2.1'] });
  const page = new URL('https://192.168.1.1/');
  {
    using _none = takeDescriptors();
    await assert.rejects(network.pageFault(page), { code: 'EMFILE' });
  }
  assert.match((await network.pageFault(page)) ?? '', /192\.168\.1\.1/);
});
