import clsx from 'clsx';
import { Check } from 'lucide-react';
import { DropdownMenu } from 'radix-ui';
import type { ReactNode } from 'react';
import type { MenuEntry, MenuProps } from './menu.tsx';

export function MenuList({ trigger, entries, align }: Required<MenuProps>): ReactNode {
  return (
    <DropdownMenu.Root defaultOpen>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={6}
          collisionPadding={12}
          className="scroll-quiet z-50 max-h-(--radix-dropdown-menu-content-available-height) max-w-[min(24rem,calc(100vw-1.5rem))] min-w-44 animate-rise overflow-y-auto rounded-xl border border-line bg-raised p-1 shadow-lg"
        >
          {entries.map((entry, index) => (
            <Entry key={entry.kind === 'item' ? entry.key : index} entry={entry} />
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function Entry({ entry }: { entry: MenuEntry }): ReactNode {
  if (entry.kind === 'line') return <DropdownMenu.Separator className="my-1 h-px bg-line" />;
  if (entry.kind === 'label') {
    return (
      <DropdownMenu.Label className="flex items-center gap-2 px-2 pt-2 pb-1 text-xs font-medium text-faint">
        {entry.dot && <span aria-hidden className={clsx('size-2 rounded-full', entry.dot)} />}
        {entry.text}
      </DropdownMenu.Label>
    );
  }
  return (
    <DropdownMenu.Item
      disabled={entry.isDisabled ?? false}
      onSelect={() => entry.onSelect?.()}
      className={clsx(
        'flex min-h-8 items-center gap-2 rounded-lg px-2 py-1.5 text-sm outline-none data-disabled:cursor-default data-disabled:text-faint data-highlighted:bg-hover pointer-coarse:min-h-10 [&_svg]:size-4 [&_svg]:shrink-0',
        entry.isDangerous && 'text-bad',
      )}
    >
      {entry.icon}
      <span className="min-w-0 flex-1">
        <span className="block truncate">{entry.text}</span>
        {entry.hint && <span className="block text-xs text-faint wrap-anywhere">{entry.hint}</span>}
      </span>
      {entry.isChosen && <Check aria-label="chosen" className="text-accent-ink" />}
    </DropdownMenu.Item>
  );
}
