/** What package-lock.json says of one package. */
interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
}

export interface Lockfile {
  readonly name: string;
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface Component {
  readonly type: 'library';
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** `excluded`: for building and testing alone. */
  readonly scope: 'required' | 'excluded';
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly { readonly license: { readonly name: string } }[];
}

const FOLDER = 'node_modules/';

/** Every package of others that the lockfile names, once for each version, in the form of CycloneDX 1.6. */
export function billOfMaterials({ name, version, packages }: Lockfile) {
  const components = new Map<string, Component>();
  for (const [path, locked] of Object.entries(packages)) {
    if (!path.includes(FOLDER) || locked.link === true || locked.version === undefined) continue;
    const component = componentOf(path.slice(path.lastIndexOf(FOLDER) + FOLDER.length), locked.version, locked);
    // A version that stands in several places is needed when one of them needs it.
    if (components.get(component.purl)?.scope !== 'required') components.set(component.purl, component);
  }
  return {
    bomFormat: 'CycloneDX' as const,
    specVersion: '1.6' as const,
    version: 1,
    metadata: { component: { type: 'application' as const, name, version } },
    components: [...components.values()].toSorted((one, other) => one.purl.localeCompare(other.purl)),
  };
}

/** Packages that come from elsewhere than the registry that npm is set to. */
export function strayPackages({ packages }: Lockfile): string[] {
  return Object.entries(packages).flatMap(([path, { link, resolved }]) => (resolved === undefined || link === true ? [] : [`${path}: ${resolved}`]));
}

function componentOf(name: string, version: string, { license, integrity, dev }: LockedPackage): Component {
  const hashes = integrity?.split(' ').map(hashOf);
  return {
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    scope: dev === true ? 'excluded' : 'required',
    ...(hashes ? { hashes } : {}),
    ...(license === undefined ? {} : { licenses: [{ license: { name: license } }] }),
  };
}

/** `sha512-…` in base64 (Subresource Integrity) as an algorithm's name and hexadecimal digits. */
function hashOf(integrity: string): { readonly alg: string; readonly content: string } {
  const [algorithm = '', digest = ''] = integrity.split('-', 2);
  return { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') };
}
