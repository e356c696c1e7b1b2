import { interface as dbus } from '@jellybrick/dbus-next';

export type BusMembers = Parameters<typeof dbus.Interface.configureMembers>[0];

/** What others on the bus may call and read. The library (0.11) loses what `configureMembers` writes to a class when an instance is made, so each instance is configured by itself. */
export class BusObject extends dbus.Interface {
  constructor(name: string, members: BusMembers) {
    super(name);
    const configure: (this: { readonly prototype: object }, members: BusMembers) => void = dbus.Interface.configureMembers;
    configure.call({ prototype: this }, members);
  }
}
