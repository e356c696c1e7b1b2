import { Monitor, Smartphone } from 'lucide-react';
import type { ReactNode } from 'react';
import { removedBySignOut, useSignOut } from '../account/use-sign-out.ts';
import { deviceName } from '../app/device-name.ts';
import { Asked } from '../connection/asked.tsx';
import { Button } from '../ui/button.tsx';
import { day } from '../ui/day.ts';
import { Notice } from '../ui/notice.tsx';
import { callApi } from './api.ts';
import { Section } from './section.tsx';
import { useAction } from './use-action.ts';
import { useApi } from './use-api.ts';

interface Device {
  readonly id: string;
  readonly userAgent: string;
  readonly address: string;
  readonly signedInAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  readonly lastMoment: string;
  readonly isCurrent: boolean;
}

/** The browsers that are signed in, this one first, each with a way to sign it out. */
export function DeviceSection(): ReactNode {
  const { answer, reload } = useApi<{ devices: readonly Device[] }>('/api/devices');
  const devices = answer.status === 'ready' ? answer.data.devices : [];
  const hasOthers = devices.some(({ isCurrent }) => !isCurrent);
  return (
    <Section
      id="devices"
      title="Signed-in browsers"
      about="Each of these can do all that you can do here. Sign out what you do not know."
      action={hasOthers && devices.length > 2 && <EndOthers onDone={reload} />}
    >
      <Asked answer={answer} reload={reload}>
        {({ devices: all }) =>
          all.length === 0 ? (
            <p className="py-3 text-sm text-muted">No browser is signed in. Sign-in may be switched off on this server.</p>
          ) : (
            <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
              {all
                .toSorted((a, b) => Number(b.isCurrent) - Number(a.isCurrent))
                .map((device) => (
                  <DeviceRow key={device.id} device={device} onEnded={reload} />
                ))}
            </ul>
          )
        }
      </Asked>
    </Section>
  );
}

function DeviceRow({ device, onEnded }: { device: Device; onEnded: () => void }): ReactNode {
  const signOut = useSignOut();
  const endOther = useAction(() => callApi('DELETE', `/api/devices/${device.id}`), onEnded);
  const { isBusy, error, run } = device.isCurrent ? signOut : endOther;
  const removed = device.isCurrent ? removedBySignOut() : undefined;
  const isPhone = /iPhone|iPad|Android|Mobile/.test(device.userAgent);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <span aria-hidden className="text-faint [&_svg]:size-4.5">
        {isPhone ? <Smartphone /> : <Monitor />}
      </span>
      <div className="min-w-0 flex-1 basis-40">
        <p className="flex flex-wrap items-center gap-x-2 text-sm font-medium" title={device.userAgent}>
          {deviceName(device.userAgent)}
          {device.isCurrent && <span className="rounded-md bg-bubble px-1.5 py-0.5 text-xs font-normal text-muted">This browser</span>}
        </p>
        <p className="flex flex-wrap gap-x-3 text-xs text-faint">
          {device.address !== '' && <bdi className="font-mono">{device.address}</bdi>}
          <span>Signed in {day(device.signedInAt)}</span>
          <span>Last used {day(device.lastUsedAt)}</span>
          <span>
            Ends {day(device.expiresAt)} unless used, {day(device.lastMoment)} at the latest
          </span>
        </p>
        {removed !== undefined && <p className="text-xs text-muted">Signing out {removed}</p>}
        {error !== undefined && <Notice>{error}</Notice>}
      </div>
      <Button variant="danger" size="sm" disabled={isBusy} onClick={run}>
        {isBusy ? 'Signing out…' : 'Sign out'}
      </Button>
    </li>
  );
}

function EndOthers({ onDone }: { onDone: () => void }): ReactNode {
  const { isBusy, error, run } = useAction(() => callApi('POST', '/api/devices/sign-out-others'), onDone);
  return (
    <div className="space-y-2">
      {error !== undefined && <Notice>{error}</Notice>}
      <Button size="sm" disabled={isBusy} onClick={run}>
        {isBusy ? 'Signing out…' : 'Sign out all others'}
      </Button>
    </div>
  );
}
