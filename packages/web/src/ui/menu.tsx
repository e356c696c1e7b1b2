import { cloneElement, type ReactElement, type ReactNode, Suspense, useState } from 'react';
import { lazyPart } from '../connection/lazy-part.ts';

export type MenuEntry =
  | { readonly kind: 'label'; readonly text: string; readonly dot?: string }
  | { readonly kind: 'line' }
  | {
      readonly kind: 'item';
      readonly key: string;
      readonly text: string;
      readonly icon?: ReactNode;
      /** A component of its own is asked anew each time the menu opens. */
      readonly hint?: ReactNode;
      readonly isChosen?: boolean;
      readonly isDangerous?: boolean;
      readonly isDisabled?: boolean;
      readonly onSelect?: () => void;
    };

export interface TriggerProps {
  readonly onClick?: () => void;
  readonly 'aria-haspopup'?: 'menu';
  readonly 'aria-expanded'?: boolean;
}

export interface MenuProps {
  /** One button; it opens the menu. */
  readonly trigger: ReactElement<TriggerProps>;
  readonly entries: readonly MenuEntry[];
  readonly align?: 'start' | 'end';
}

const loadMenu = () => import('./menu-list.tsx');
const MenuList = lazyPart(async () => ({ default: (await loadMenu()).MenuList }));

/** A menu whose machinery is loaded when it is first opened: until then there is only its button. */
export function Menu({ trigger, entries, align = 'start' }: MenuProps): ReactNode {
  const [isUsed, setUsed] = useState(false);
  const closed = cloneElement(trigger, { 'aria-haspopup': 'menu', 'aria-expanded': false, onClick: () => setUsed(true) });
  if (!isUsed) return closed;
  return (
    <Suspense fallback={closed}>
      <MenuList trigger={trigger} entries={entries} align={align} />
    </Suspense>
  );
}
