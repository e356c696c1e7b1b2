import type { ReactNode } from 'react';
import { PageHeader } from '../ui/page-header.tsx';
import { DeviceSection } from './device-section.tsx';
import { KeySection } from './key-section.tsx';

/** Who may come in as this person: the browsers that are signed in, and the keys of machines and scripts. */
export function AccessPage(): ReactNode {
  return (
    <>
      <PageHeader title="Devices and keys" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-10 p-4 md:p-6">
          <DeviceSection />
          <KeySection />
        </div>
      </main>
    </>
  );
}
