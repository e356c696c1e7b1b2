import type { LoadedConfig } from '@tendon/server/settings';
import { checkAll } from '../doctor/checks.ts';
import type { Finding } from '../doctor/finding.ts';
import { colour, type Piece, print, table } from '../output.ts';
import { readSettings, type SettingFlags } from '../settings.ts';

const MARKS = { ok: ['green', 'ok'], missing: ['yellow', '--'], broken: ['red', 'NO'] } as const;

/** `tendon doctor`: what works, what does not and how to mend it, and every setting with its source. Exit code 1 when something is broken. */
export async function doctor(flags: SettingFlags): Promise<void> {
  const loaded = await readSettings(flags);
  const findings = await checkAll(loaded);
  for (const finding of findings) print(...lineOf(finding));
  print('');
  print(table([['SETTING', 'VALUE', 'FROM'], ...settingRows(loaded)]));
  if (loaded.unknown.length > 0) print(`\nNot a setting of Tendon, perhaps misspelt: ${loaded.unknown.join(', ')}`);
  process.exitCode = findings.some((finding) => finding.state === 'broken') ? 1 : 0;
}

function lineOf(finding: Finding): readonly Piece[] {
  const [paint, mark] = MARKS[finding.state];
  const mend = finding.mend === undefined ? '' : `\n      ${finding.mend}`;
  return [' ', colour(paint, mark), `  ${finding.subject.padEnd(11)} ${finding.detail}${mend}`];
}

function settingRows(loaded: LoadedConfig): string[][] {
  return loaded.origins.map((origin) => [origin.name, origin.shown ?? '(not set)', origin.source]);
}
