// Databases of users with coturn's tables, each a private one: filled by coturn's turnadmin, sterna user or plain SQL.
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from './server.mjs';

const exec = promisify(execFile);
const servers = fileURLToPath(new URL('../../store/servers.sh', import.meta.url));
const SCHEMA = '/usr/share/coturn/schema.sql';
export const REALM = 'test.example';

const quote = (s) => `'${String(s).replaceAll("'", "''")}'`;

// What is the same in SQL everywhere. run(text) runs statements.
const bySql = (run) => ({
  removeUser: (name) => run(`DELETE FROM turnusers_lt WHERE name = ${quote(name)}`),
  setSecrets: (list) => run(`DELETE FROM turn_secret; ${list.map((s) => `INSERT INTO turn_secret VALUES (${quote(REALM)}, ${quote(s)});`).join(' ')}`),
  addPeers: (kind, range, realm = REALM) => run(`INSERT INTO ${kind}_peer_ip VALUES (${quote(realm)}, ${quote(range)})`),
  setOption: (option, value, realm = REALM) =>
    run(`DELETE FROM turn_realm_option WHERE opt = ${quote(option)}; INSERT INTO turn_realm_option VALUES (${quote(realm)}, ${quote(option)}, ${quote(value)})`),
  addOrigin: (origin) => run(`INSERT INTO turn_origin_to_realm VALUES (${quote(origin)}, ${quote(REALM)})`),
});

async function sterna(dir) {
  const file = join(dir, 'sterna.db');
  const addUser = (name, password) => exec(binary, ['user', 'add', '--db', `sqlite:${file}`, '--realm', REALM, '--user', name, '--password', password]);
  await addUser('first', 'secret');
  return { url: `sqlite:${file}`, addUser, ...bySql((text) => exec('sqlite3', ['-cmd', '.timeout 5000', file, text])) };
}

async function coturnSqlite(dir) {
  const file = join(dir, 'turndb');
  const addUser = (name, password) => exec('turnadmin', ['-a', '-b', file, '-u', name, '-r', REALM, '-p', password]);
  await addUser('first', 'secret');
  return { url: file, addUser, ...bySql((text) => exec('sqlite3', ['-cmd', '.timeout 5000', file, text])) };
}

async function postgres(dir) {
  await exec(servers, [dir, 'up', 'postgres']);
  const words = `host=${dir}/pg dbname=postgres user=sterna`;
  const run = (text) => exec('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-d', words, '-c', text]);
  await exec('psql', ['-q', '-d', words, '-f', SCHEMA]);
  const addUser = (name, password) => exec('turnadmin', ['-a', '-e', words, '-u', name, '-r', REALM, '-p', password]);
  await addUser('first', 'secret');
  return {
    url: words,
    addUser,
    ...bySql(run),
    down: () => exec(servers, [dir, 'down', 'postgres']),
    up: () => exec(servers, [dir, 'up', 'postgres']),
  };
}

async function redis(dir) {
  await exec(servers, [dir, 'up', 'redis']);
  const port = (await readFile(join(dir, 'redis.port'), 'utf8')).trim();
  const words = `ip=127.0.0.1 dbname=0 port=${port} password=hush-hush`;
  const client = ['-s', join(dir, 'redis.sock'), '--no-auth-warning', '-a', 'hush-hush'];
  const run = (...args) => exec('redis-cli', [...client, ...args]);
  const addUser = (name, password) => exec('turnadmin', ['-a', '-N', words, '-u', name, '-r', REALM, '-p', password]);
  await addUser('first', 'secret');
  return {
    url: words,
    addUser,
    removeUser: (name) => run('DEL', `turn/realm/${REALM}/user/${name}/key`),
    setSecrets: async (list) => {
      await run('DEL', `turn/realm/${REALM}/secret`);
      await run('SADD', `turn/realm/${REALM}/secret`, ...list);
    },
    addPeers: (kind, range, realm = REALM) => run('SADD', `turn/realm/${realm}/${kind}-peer-ip`, range),
    setOption: (option, value, realm = REALM) => run('SET', `turn/realm/${realm}/${option}`, value),
    addOrigin: (origin) => run('SET', `turn/origin/${origin}`, REALM),
    down: () => exec(servers, [dir, 'down', 'redis']),
    up: () => exec(servers, [dir, 'up', 'redis']),
    // Everything that is published: {got: [[channel, value], …], stop()}
    async subscribe() {
      const child = spawn('redis-cli', [...client, '--csv', 'psubscribe', 'turn/realm/*'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const got = [];
      let rest = '';
      const ready = new Promise((resolve) => {
        child.stdout.on('data', (d) => {
          const lines = (rest + d).split('\n');
          rest = lines.pop();
          for (const line of lines) {
            const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]);
            if (words[0] === 'psubscribe') resolve();
            if (words[0] === 'pmessage') got.push([words[2], words[3]]);
          }
        });
      });
      await ready;
      return { got, stop: () => child.kill() };
    },
    keys: async () => (await run('KEYS', 'turn/realm/*/allocation/*')).stdout.split('\n').filter(Boolean),
    get: async (key) => (await run('GET', key)).stdout.trim(),
  };
}

const kinds = {
  'SQLite, sterna user': { make: sterna, option: 'userdb' },
  "SQLite, coturn's turnadmin": { make: coturnSqlite, option: 'userdb' },
  PostgreSQL: { make: postgres, option: 'psql-userdb' },
  Redis: { make: redis, option: 'redis-userdb' },
};
export const databases = Object.keys(kinds);

// One of them with the user first:secret. `line` is its line of turnserver.conf.
export async function startDatabase(kind) {
  const dir = await mkdtemp(join(tmpdir(), 'sterna-db-'));
  await chmod(dir, 0o755);
  const { make, option } = kinds[kind];
  const stop = async (db) => {
    await db?.down?.().catch(() => {});
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const db = await make(dir);
    return { ...db, dir, line: `${option}=${db.url}`, stop: () => stop(db) };
  } catch (e) {
    await rm(dir, { recursive: true, force: true });
    throw e;
  }
}
