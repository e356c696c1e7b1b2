// Prints what third-party packages there are, for `npm run -s sbom > tendon.cdx.json`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { billOfMaterials, type Lockfile } from './bill-of-materials.ts';

const lockfile = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8')) as Lockfile;
console.log(JSON.stringify(billOfMaterials(lockfile), null, 2));
