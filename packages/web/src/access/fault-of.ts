import type { PayloadFault } from '@tendon/protocol';
import type { ApiFault } from './api.ts';

/** What was refused about this field of the request; undefined when it was something else. */
export function faultOf(fault: ApiFault | undefined, field: string): string | undefined {
  const faults: readonly Partial<PayloadFault>[] = Array.isArray(fault?.details) ? fault.details : [];
  return faults.find(({ path }) => path === field)?.reason;
}
