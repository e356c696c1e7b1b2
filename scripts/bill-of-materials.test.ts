import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { billOfMaterials, type Lockfile, strayPackages } from './bill-of-materials.ts';

const root = join(import.meta.dirname, '..');
const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile;

test('a package is listed once for each version, needed when it is needed anywhere', () => {
  const { components } = billOfMaterials({
    name: 'product',
    version: '1.0.0',
    packages: {
      '': { version: '1.0.0' },
      'packages/own': { version: '1.0.0' },
      'node_modules/@own/own': { resolved: 'packages/own', link: true },
      'node_modules/@a/b': { version: '2.0.0', license: 'MIT', integrity: `sha512-${Buffer.from('digest').toString('base64')}`, dev: true },
      'node_modules/c': { version: '1.0.0', dev: true },
      'node_modules/d/node_modules/c': { version: '1.0.0' },
      'node_modules/e/node_modules/c': { version: '1.1.0' },
    },
  });
  assert.deepEqual(components, [
    {
      type: 'library',
      name: '@a/b',
      version: '2.0.0',
      purl: 'pkg:npm/%40a/b@2.0.0',
      scope: 'excluded',
      hashes: [{ alg: 'SHA-512', content: Buffer.from('digest').toString('hex') }],
      licenses: [{ license: { name: 'MIT' } }],
    },
    { type: 'library', name: 'c', version: '1.0.0', purl: 'pkg:npm/c@1.0.0', scope: 'required' },
    { type: 'library', name: 'c', version: '1.1.0', purl: 'pkg:npm/c@1.1.0', scope: 'required' },
  ]);
});

test('what is installed is what was chosen: every package of others has its hash in the lockfile', () => {
  const others = Object.entries(lockfile.packages).filter(([path, entry]) => path.includes('node_modules/') && entry.link !== true);
  assert.ok(others.length > 500);
  assert.deepEqual(
    others.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path),
    [],
  );
});

test('all that we depend on is named with one exact version, stands in the list, and comes from the one registry', () => {
  assert.deepEqual(strayPackages({ ...lockfile, packages: { 'node_modules/odd': { resolved: 'git+ssh://somewhere/odd.git' } } }).length, 1);
  assert.deepEqual(strayPackages(lockfile), []);
  const listed = new Set(billOfMaterials(lockfile).components.map(({ name, version }) => `${name}@${version}`));
  const manifests = globSync(['package.json', 'packages/*/package.json', 'testing/package.json'], { cwd: root });
  assert.ok(manifests.length > 9, String(manifests));
  for (const manifest of manifests) {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as Record<
      string,
      Record<string, string> | undefined
    >;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }))
      if (!name.startsWith('@tendon/')) assert.ok(listed.has(`${name}@${version}`), `${manifest}: ${name}@${version}`);
  }
});
