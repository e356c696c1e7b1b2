import { CircleUser, Cpu, Keyboard, KeyRound, LogOut, Monitor, Moon, ShieldCheck, Sun, SunMoon, Users } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useMe } from '../account/use-me.ts';
import { removedBySignOut, useSignOut } from '../account/use-sign-out.ts';
import { ConnectionDot } from '../connection/connection-dot.tsx';
import { SessionList } from '../sessions/session-list.tsx';
import { IconButton } from '../ui/button.tsx';
import { Menu } from '../ui/menu.tsx';
import { chooseTheme, chosenTheme, type Theme } from './theme.ts';
import { showToast } from './toasts.tsx';

interface SideBarProps {
  readonly onNavigate: () => void;
  readonly onHelp: () => void;
}

export function SideBar({ onNavigate, onHelp }: SideBarProps): ReactNode {
  const me = useMe();
  return (
    <div className="flex h-full flex-col">
      <div className="flex h-12 shrink-0 items-center gap-2.5 px-5">
        <img src="/favicon.svg" alt="" className="size-5" />
        <span className="flex-1 font-semibold tracking-tight">Tendon</span>
      </div>
      <SessionList onNavigate={onNavigate} />
      <div className="shrink-0 border-t border-line px-2 py-2">
        <PlaceLink href="/permissions" onNavigate={onNavigate} icon={<ShieldCheck />}>
          Permissions
        </PlaceLink>
        <PlaceLink href="/machines" onNavigate={onNavigate} icon={<Monitor />}>
          Machines
        </PlaceLink>
        <PlaceLink href="/access" onNavigate={onNavigate} icon={<KeyRound />}>
          Devices and keys
        </PlaceLink>
        <PlaceLink href="/account" onNavigate={onNavigate} icon={<CircleUser />}>
          Account
        </PlaceLink>
        {me?.user.role === 'owner' && (
          <>
            <PlaceLink href="/people" onNavigate={onNavigate} icon={<Users />}>
              People
            </PlaceLink>
            <PlaceLink href="/models" onNavigate={onNavigate} icon={<Cpu />}>
              Models
            </PlaceLink>
          </>
        )}
        <div className="mt-1 flex items-center justify-between ps-2.5">
          <ConnectionDot isLabelled />
          <span className="flex">
            <IconButton label="Keyboard (?)" className="pointer-coarse:hidden" onClick={onHelp}>
              <Keyboard />
            </IconButton>
            <ThemeMenu />
            {me?.via === 'cookie' && <SignOutMenu />}
          </span>
        </div>
      </div>
    </div>
  );
}

interface PlaceLinkProps {
  readonly href: string;
  readonly icon: ReactNode;
  readonly onNavigate: () => void;
  readonly children: string;
}

function PlaceLink({ href, icon, onNavigate, children }: PlaceLinkProps): ReactNode {
  const [location] = useLocation();
  return (
    <Link
      href={href}
      onClick={onNavigate}
      aria-current={location === href ? 'page' : undefined}
      className="flex h-8 items-center gap-2.5 rounded-lg px-2.5 text-sm text-muted hover:bg-hover hover:text-text aria-[current=page]:bg-hover aria-[current=page]:text-text pointer-coarse:h-11 [&_svg]:size-4"
    >
      {icon} {children}
    </Link>
  );
}

const THEMES: readonly { readonly theme: Theme; readonly name: string; readonly icon: ReactNode }[] = [
  { theme: 'system', name: 'As the system', icon: <SunMoon /> },
  { theme: 'light', name: 'Light', icon: <Sun /> },
  { theme: 'dark', name: 'Dark', icon: <Moon /> },
];

function ThemeMenu(): ReactNode {
  const [current, setCurrent] = useState(chosenTheme);
  return (
    <Menu
      align="end"
      trigger={<IconButton label="Appearance">{THEMES.find((item) => item.theme === current)?.icon}</IconButton>}
      entries={THEMES.map((item) => ({
        kind: 'item',
        key: item.theme,
        text: item.name,
        icon: item.icon,
        isChosen: item.theme === current,
        onSelect: () => {
          chooseTheme(item.theme);
          setCurrent(item.theme);
        },
      }))}
    />
  );
}

/** A menu of one entry: a slip of the finger signs nobody out. */
function SignOutMenu(): ReactNode {
  const { isBusy, error, run } = useSignOut();
  useEffect(() => {
    if (error !== undefined) showToast({ text: error });
  }, [error]);
  return (
    <Menu
      align="end"
      trigger={
        <IconButton label={isBusy ? 'Signing out…' : 'Sign out'}>
          <LogOut />
        </IconButton>
      }
      entries={[{ kind: 'item', key: 'out', text: 'Sign out of this browser', icon: <LogOut />, hint: <Removed />, onSelect: run }]}
    />
  );
}

function Removed(): ReactNode {
  const removed = removedBySignOut();
  return removed === undefined ? null : `It ${removed}`;
}
