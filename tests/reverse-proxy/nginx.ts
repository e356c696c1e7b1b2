import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder, until } from '@tendon/testing';

/** nginx with TLS in front of a server, as docs/guide.md has it. */
export interface Nginx extends AsyncDisposable {
  /** `https://localhost:PORT`. */
  readonly url: string;
  readonly port: number;
  /** The throw-away authority that signed its certificate. */
  readonly ca: string;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startNginx({ port, upstream }: { readonly port: number; readonly upstream: number }): Promise<Nginx> {
  const folder = await temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  makeCertificate(at);
  mkdirSync(at('tmp'));
  writeFileSync(at('nginx.conf'), configuration({ port, upstream, folder: folder.path }));
  const program = existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx';
  const child = spawn(program, ['-p', folder.path, '-c', at('nginx.conf'), '-e', at('error.log'), '-g', 'daemon off;'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await until({ what: 'nginx to run', pollMs: 20, check: () => isUp(child, at) });
  return {
    url: `https://localhost:${port}`,
    port,
    ca: readFileSync(at('ca.pem'), 'utf8'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

function isUp(child: ChildProcess, at: (name: string) => string): true | undefined {
  if (child.exitCode !== null) throw new Error(`nginx ended: ${existsSync(at('error.log')) ? readFileSync(at('error.log'), 'utf8') : ''}`);
  return existsSync(at('nginx.pid')) || undefined;
}

function makeCertificate(at: (name: string) => string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=throw-away authority');
  openssl('req', ...key, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  openssl(
    'x509',
    '-req',
    ...['-in', at('server.csr')],
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    at('names.cnf'),
    '-out',
    at('server.pem'),
  );
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
}

/** The `location` is that of docs/guide.md. */
function configuration({ port, upstream, folder }: { port: number; upstream: number; folder: string }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/tmp/${name};`).join('\n  ');
  return `
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_certificate ${folder}/server.pem;
    ssl_certificate_key ${folder}/server.key;
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`;
}
