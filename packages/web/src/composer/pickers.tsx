import { useAgentClient, useStore } from '@tendon/client/react';
import type { Gateway } from '@tendon/protocol';
import clsx from 'clsx';
import { ChevronDown, Cpu, Folder } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';
import { useAnswer } from '../connection/use-answer.ts';
import { Menu, type MenuEntry } from '../ui/menu.tsx';

/** Where a session's tools run. */
export interface Place {
  readonly gatewayId?: string | undefined;
  readonly workspace?: string | undefined;
}

interface ModelPickerProps {
  readonly model: string | undefined;
  readonly onChoose: (model: string) => void;
}

export function ModelPicker({ model, onChoose }: ModelPickerProps): ReactNode {
  const { answer } = useAnswer('model:list');
  const models = answer.status === 'ready' ? answer.data.models : [];
  const current = model ?? (answer.status === 'ready' ? answer.data.default : undefined);
  const name = models.find((item) => item.id === current)?.name ?? current ?? 'Model';
  const entries: MenuEntry[] = models.map((item) => ({
    kind: 'item',
    key: item.id,
    text: item.name,
    hint: item.hint,
    isChosen: item.id === current,
    isDisabled: !item.available,
    onSelect: () => onChoose(item.id),
  }));
  if (models.length === 0)
    entries.push({ kind: 'item', key: 'none', isDisabled: true, text: answer.status === 'failed' ? answer.error.message : 'Asking the server…' });
  return <Menu trigger={<PickerButton icon={<Cpu />} label={`Model: ${name}`} text={name} />} entries={[{ kind: 'label', text: 'Model' }, ...entries]} />;
}

interface PlacePickerProps {
  readonly place: Place;
  readonly onChoose: (place: Place) => void;
}

export function PlacePicker({ place, onChoose }: PlacePickerProps): ReactNode {
  const client = useAgentClient();
  const gateways = useStore(client.gateways);
  const isLoaded = useStore(client.gatewaysLoaded);
  const isKnown = useStore(client.connection).kind === 'online';
  const gateway = gateways.find((item) => item.id === place.gatewayId);
  const folder = gateway?.workspaces.find((item) => item.path === place.workspace)?.name ?? baseName(place.workspace);
  const text = folder ?? gateway?.name ?? (isLoaded ? 'No machine' : 'Folder');
  const away = isKnown && gateway?.online === false ? ', offline' : '';
  // Of several machines it says which one: folders are often called alike.
  const machine = gateway && folder !== undefined && gateways.length > 1 ? ` on ${gateway.name}` : '';
  const label = gateway ? `Folder: ${text} on ${gateway.name}${away}` : `Folder: ${isLoaded ? 'no machine chosen' : 'asking the server'}`;
  const onlineFirst = [...gateways].sort((a, b) => Number(b.online) - Number(a.online));
  const entries = onlineFirst.flatMap((item): MenuEntry[] => [
    { kind: 'label', text: item.online ? item.name : `${item.name}, offline`, dot: dotOf(item) },
    ...item.workspaces.map(
      (workspace): MenuEntry => ({
        kind: 'item',
        key: `${item.id} ${workspace.path}`,
        text: workspace.name,
        hint: workspace.path,
        isChosen: item.id === place.gatewayId && workspace.path === place.workspace,
        onSelect: () => onChoose({ gatewayId: item.id, workspace: workspace.path }),
      }),
    ),
  ]);
  if (gateways.length === 0) entries.push({ kind: 'item', key: 'none', isDisabled: true, text: isLoaded ? 'No machine is connected' : 'Asking the server…' });
  return (
    <Menu
      trigger={
        <PickerButton icon={<Folder />} label={label} text={`${text}${machine}${away}`} dot={gateway && (isKnown ? dotOf(gateway) : 'bg-line-strong')} />
      }
      entries={entries}
    />
  );
}

function dotOf(gateway: Gateway): string {
  return gateway.online ? 'bg-good' : 'bg-warn-dot';
}

function baseName(path: string | undefined): string | undefined {
  return path?.split(/[\\/]/).findLast((part) => part !== '');
}

interface PickerButtonProps extends ComponentProps<'button'> {
  readonly icon: ReactNode;
  readonly label: string;
  readonly text: string;
  readonly dot?: string | undefined;
}

function PickerButton({ icon, label, text, dot, ...rest }: PickerButtonProps): ReactNode {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="inline-flex h-8 min-w-0 items-center gap-1.5 rounded-lg px-2 text-xs text-muted hover:bg-hover hover:text-text data-[state=open]:bg-hover pointer-coarse:h-10 [&_svg]:size-3.5 [&_svg]:shrink-0"
      {...rest}
    >
      {dot ? <span aria-hidden className={clsx('size-2 shrink-0 rounded-full', dot)} /> : icon}
      <span className="max-w-40 truncate sm:max-w-72">{text}</span>
      <ChevronDown aria-hidden className="opacity-60 max-sm:hidden" />
    </button>
  );
}
