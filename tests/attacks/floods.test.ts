import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type FloodReport, type FloodRig, floodRig, lineOf, MEMORY_BOUNDS } from './flood.ts';
import { FLOODS, SEE_NOTHING } from './flood-kinds.ts';

/*
 * Floods from a process of their own, while somebody else asks and is answered. How long that takes is printed and judged by nobody;
 * `npm run flood` prints it for longer floods.
 */

let rig: FloodRig;
before(async () => {
  rig = await floodRig();
});
after(() => rig[Symbol.asyncDispose]());

for (const name of Object.keys(FLOODS)) {
  describe(`a flood: ${name}`, () => {
    let report: FloodReport;
    before(async () => {
      report = await rig.run(name, 1);
    });

    test('I17: somebody else gets every answer', (context) => {
      context.diagnostic(lineOf(report));
      assert.ok(report.flooded.asked > 0);
      assert.equal(report.flooded.answered, report.flooded.asked);
    });
    test('I16: the server lives and serves', async () => assert.equal(await rig.isServing(), true));
    test('T21, T9, T4, H30: whoever floods is refused, cut or left unread', () => {
      assert.ok(report.counts.sent > 0, 'there was no flood');
      if (!SEE_NOTHING.has(name)) assert.ok(report.counts.refused + report.counts.cut > 0);
    });
    test('T14, T26, T27: memory stays within its bounds, and comes back', () => {
      assert.ok(report.memory.peak < MEMORY_BOUNDS.peakMiB, `peak ${report.memory.peak} MiB`);
      assert.ok(report.memory.unsentPeak <= MEMORY_BOUNDS.unsentMiB, `${report.memory.unsentPeak} MiB wait to be sent`);
      assert.ok(report.memory.unfinishedPeak <= MEMORY_BOUNDS.unfinishedMiB, `${report.memory.unfinishedPeak} MiB of unfinished messages`);
      assert.ok(report.memory.after <= MEMORY_BOUNDS.afterMiB, `after ${report.memory.after} MiB`);
    });
  });
}
