import { Fragment, type ReactNode } from 'react';
import { Key } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';

const KEYS: readonly (readonly [string, readonly string[]])[] = [
  ['Send, or queue while the agent works', ['Enter']],
  ['Stop what it does and say this now', ['Ctrl', 'Enter']],
  ['New line', ['Shift', 'Enter']],
  ['Stop the agent; while it asks, go to the question', ['Esc']],
  ['Approve the waiting call', ['A']],
  ['Deny it, with a reason', ['D']],
  ['Allow it always, showing the rule first', ['Shift', 'A']],
  ['Choose an answer', ['1', '…', '9']],
  ['Watch the agent’s browser, or stop that', ['W']],
  ['Write a message', ['/']],
  ['New session', ['N']],
  ['These keys', ['?']],
];

export function KeyboardHelp({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }): ReactNode {
  return (
    <Dialog title="Keyboard" isOpen={isOpen} onClose={onClose}>
      <dl className="grid grid-cols-[1fr_auto] items-center gap-x-6 gap-y-2.5 text-sm">
        {KEYS.map(([action, keys]) => (
          <Fragment key={action}>
            <dt className="text-muted">{action}</dt>
            <dd className="flex justify-end gap-1">
              {keys.map((key) => (
                <Key key={key}>{key}</Key>
              ))}
            </dd>
          </Fragment>
        ))}
      </dl>
      <p className="mt-4 text-xs text-faint">Letters and digits act when the focus is outside a text field. Esc leaves the composer.</p>
    </Dialog>
  );
}
