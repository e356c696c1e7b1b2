import { after, before, describe } from 'node:test';
import { commitContract } from './contract-commits.ts';
import { faultContract } from './contract-faults.ts';
import { forkContract } from './contract-forks.ts';
import { leaseContract } from './contract-leases.ts';
import { readingContract } from './contract-reading.ts';
import { openRig, type Rig } from './contract-rig.ts';

/** A migrated database of the suite's own. */
export interface ContractDatabase extends AsyncDisposable {
  readonly url: string;
}

/** What every implementation of the store must keep. Run over each server that Tendon supports. */
export function storeContract(label: string, open: () => Promise<ContractDatabase>): void {
  describe(`the store on ${label}`, () => {
    let database: ContractDatabase | undefined;
    let opened: Rig | undefined;
    before(async () => {
      database = await open();
      opened = await openRig(database.url);
    });
    after(async () => {
      await opened?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
    });
    const rig = (): Rig => {
      if (!opened) throw new Error('the rig is open only inside a test');
      return opened;
    };
    commitContract(rig);
    leaseContract(rig);
    readingContract(rig);
    forkContract(rig);
    faultContract(rig);
  });
}
