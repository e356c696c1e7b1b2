import { readFileSync } from 'node:fs';
import { StartError } from '../../start-error.ts';

/** Under whom PostgreSQL runs. Undefined ids: under our own, which is not root. */
export interface Account {
  /** The server's. No login and no other program uses it, so its files are nobody else's. */
  readonly server?: Identity | undefined;
  /** initdb looks its user up by name, so it runs under one that the system knows; the files change hands afterwards. */
  readonly setup?: Identity | undefined;
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Ids that neither distributions nor systemd hand out (systemd, "Users, Groups, UIDs and GIDs"), inside the 16 bits that containers map. */
const FREE_IDS = { first: 60_700, last: 60_799 };

/** PostgreSQL refuses to run as root. `ownerUid` is the owner of an existing data folder, which keeps it. */
export function chooseAccount(ownerUid: number | undefined): Account {
  if (process.getuid?.() !== 0) return {};
  const known = readAccounts();
  const setup = known.find((account) => account.name === 'nobody') ?? known.find((account) => account.uid > 0);
  if (!setup)
    throw new StartError('PostgreSQL does not run as root and /etc/passwd names no other user. Start Tendon as an ordinary user, or set TENDON_DATABASE_URL.');
  if (ownerUid !== undefined && ownerUid !== 0) return { server: { uid: ownerUid, gid: ownerUid }, setup };
  const taken = new Set(known.map((account) => account.uid));
  let id = FREE_IDS.first;
  while (taken.has(id) && id < FREE_IDS.last) id += 1;
  return { server: { uid: id, gid: id }, setup };
}

function readAccounts(): (Identity & { name: string })[] {
  let text = '';
  try {
    text = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    const account = { name: name ?? '', uid: Number(uid), gid: Number(gid) };
    return account.name !== '' && account.uid > 0 && account.gid > 0 ? [account] : [];
  });
}
