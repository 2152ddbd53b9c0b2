// A replica set that asks for a login, with the users that docs/security.md recommends.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { startReplicaSet } from './replicaSet.mjs';

const password = randomBytes(12).toString('hex');

/** The command in docs/security.md by which a service's role is made, for another database than the page has. */
function roleOf(page, database) {
  const command = page.match(/```js\ndb\.runCommand\((\{\n\s+createRole[\s\S]*?)\)\n```/)?.[1];
  if (command === undefined) throw new Error('docs/security.md makes no role');
  return new Function(`return ${command.replaceAll('"communication_base"', JSON.stringify(database))}`)();
}

/** `addDatabase` makes the worker's user and the service's, and resolves with an URI for each. */
export async function startGuardedReplicaSet({ folder, page }) {
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, randomBytes(96).toString('base64'), { mode: 0o400 });
  const set = await startReplicaSet({ args: ['--auth', '--keyFile', keyFile] });
  const uriOf = (user) => `${set.uri.replace('mongodb://', `mongodb://${user}:${password}@`)}&authSource=admin`;
  // before there is a user, whoever is on the machine may make one
  await set.nodes[0].admin({ createUser: 'root', pwd: password, roles: ['root'] });
  const client = new MongoClient(uriOf('root'));
  const admin = client.db('admin');

  const addDatabase = async (database) => {
    const role = roleOf(page, database);
    await client.db(database).command(role);
    const worker = `worker_${database}`;
    const service = `service_${database}`;
    await admin.command({ createUser: worker, pwd: password, roles: [{ role: 'readWrite', db: database }] });
    await admin.command({ createUser: service, pwd: password, roles: [{ role: role.createRole, db: database }] });
    return { worker: uriOf(worker), service: uriOf(service) };
  };
  const stop = async () => {
    await client.close();
    await set.stop();
  };
  return { addDatabase, stop };
}

/** What the role must not allow, and does: empty when it is as narrow as the page says. */
export async function overreach(uri, database) {
  const client = new MongoClient(uri);
  const db = client.db(database);
  const tries = {
    'messages.updateOne': () => db.collection('messages').updateOne({}, { $set: { status: 'sent' } }),
    'suppressions.deleteMany': () => db.collection('suppressions').deleteMany({}),
    'settings.insertOne': () => db.collection('settings').insertOne({ _id: 'control', sending: 'stopped' }),
    'campaigns.drop': () => db.collection('campaigns').drop(),
  };
  const allowed = [];
  for (const [what, attempt] of Object.entries(tries)) {
    const refused = await attempt().then(
      () => false,
      ({ code }) => code === 13,
    );
    if (!refused) allowed.push(what);
  }
  await client.close();
  return allowed;
}
