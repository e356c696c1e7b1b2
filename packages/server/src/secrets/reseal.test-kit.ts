import pg from 'pg';
import { Keyring } from './keyring.ts';
import { SecretStore } from './secret-store.ts';

/** A process that seals everything anew, to be killed in the middle: `node reseal.test-kit.ts DATABASE_URL NEW_KEY OLD_KEY`. */
const [url = '', current = '', previous = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, application_name: 'resealing' });
await new SecretStore(pool, new Keyring(Buffer.from(current, 'base64'), [Buffer.from(previous, 'base64')])).reseal();
await pool.end();
