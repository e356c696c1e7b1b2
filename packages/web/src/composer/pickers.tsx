import { useAgentClient, useStore } from '@tendon/client/react';
import clsx from 'clsx';
import { ChevronDown, Cpu, Folder } from 'lucide-react';
import { type ComponentProps, Fragment, type ReactNode } from 'react';
import { useAnswer } from '../connection/use-answer.ts';
import { Menu, MenuItem, MenuLabel } from '../ui/menu.tsx';

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
  return (
    <Menu trigger={<PickerButton icon={<Cpu />} label={`Model: ${name}`} text={name} />}>
      <MenuLabel>Model</MenuLabel>
      {models.map((item) => (
        <MenuItem key={item.id} hint={item.hint} isChosen={item.id === current} isDisabled={!item.available} onSelect={() => onChoose(item.id)}>
          {item.name}
        </MenuItem>
      ))}
      {models.length === 0 && <MenuItem isDisabled onSelect={() => undefined}>{answer.status === 'failed' ? answer.error.message : 'Asking the server…'}</MenuItem>}
    </Menu>
  );
}

interface PlacePickerProps {
  readonly place: Place;
  readonly onChoose: (place: Place) => void;
}

export function PlacePicker({ place, onChoose }: PlacePickerProps): ReactNode {
  const gateways = useStore(useAgentClient().gateways);
  const gateway = gateways.find((item) => item.id === place.gatewayId);
  const folder = gateway?.workspaces.find((item) => item.path === place.workspace)?.name ?? baseName(place.workspace);
  const text = folder ? `${folder}` : (gateway?.name ?? 'No machine');
  const label = gateway ? `Folder: ${text} on ${gateway.name}` : 'Folder: no machine chosen';
  return (
    <Menu trigger={<PickerButton icon={<Folder />} label={label} text={text} dot={gateway && (gateway.online ? 'bg-good' : 'bg-warn-dot')} />}>
      {gateways.map((item) => (
        <Fragment key={item.id}>
          <MenuLabel>
            <span aria-hidden className={clsx('size-2 rounded-full', item.online ? 'bg-good' : 'bg-warn-dot')} />
            {item.name}
            {!item.online && ', offline'}
          </MenuLabel>
          {item.workspaces.map((workspace) => (
            <MenuItem
              key={workspace.path}
              hint={workspace.path}
              isChosen={item.id === place.gatewayId && workspace.path === place.workspace}
              onSelect={() => onChoose({ gatewayId: item.id, workspace: workspace.path })}
            >
              {workspace.name}
            </MenuItem>
          ))}
        </Fragment>
      ))}
      {gateways.length === 0 && <MenuItem isDisabled onSelect={() => undefined}>No machine is connected</MenuItem>}
    </Menu>
  );
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
      <span className="max-w-40 truncate">{text}</span>
      <ChevronDown aria-hidden className="opacity-60 max-sm:hidden" />
    </button>
  );
}
