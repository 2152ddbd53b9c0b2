/** A mongod of a test's own: without a replica set, or with access control. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, MongoClient } from 'mongodb';
import { findMongod } from '../../scripts/mongod.mjs';
import { waitFor } from './waitFor.ts';

/** A mongod of the test's own, outside any replica set. */
export async function standalone(args: string[] = []): Promise<{ port: number; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-own-'));
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
  const common = ['--bind_ip', '127.0.0.1', '--nounixsocket', '--wiredTigerCacheSizeGB', '0.25'];
  const own = ['--port', String(port), '--dbpath', folder];
  const child = spawn(await findMongod(), [...common, ...own, ...args], { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  await waitFor(
    async () => {
      const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
        serverSelectionTimeoutMS: 500,
      });
      await client
        .db('admin')
        .command({ ping: 1 })
        .finally(() => client.close());
      return true;
    },
    { what: 'mongod to answer', timeoutMs: 30_000 },
  );
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { port, stop };
}

/** A replica set with access control, its user `root`, and `users` (createUser commands) of database admin; the password in URIs is `pw`. */
export async function withUsers(
  users: readonly Document[],
): Promise<{ uri: (user: string) => string; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-key-'));
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, 'communicationbase', { mode: 0o400 });
  const server = await standalone(['--replSet', 'rs0', '--auth', '--keyFile', keyFile]);
  const host = `127.0.0.1:${server.port}`;
  const uri = (user: string): string => `mongodb://${user}:pw@${host}/?replicaSet=rs0&authSource=admin`;
  const local = new MongoClient(`mongodb://${host}/?directConnection=true`);
  await local.db('admin').command({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host }] } });
  const createRoot = { createUser: 'root', pwd: 'pw', roles: ['root'] };
  await waitFor(() => local.db('admin').command(createRoot), { what: 'a primary', timeoutMs: 20_000 });
  await local.close();
  const root = await new MongoClient(uri('root')).connect();
  for (const user of users) await root.db('admin').command(user);
  await root.close();
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { uri, stop };
}
