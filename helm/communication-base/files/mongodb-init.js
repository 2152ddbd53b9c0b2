// For mongosh, beside the first member: makes the replica set and its users. A second run only mends what differs.
// Environment: MEMBERS (host:port, separated by commas; the first is this one), ROOT_PASSWORD, PASSWORD, DATABASE, LOCAL.
// Proven by npm run proof:mongodb.
const { MEMBERS, ROOT_PASSWORD, PASSWORD, DATABASE, LOCAL = '127.0.0.1:27017' } = process.env;
const hosts = MEMBERS.split(',');

/** The error that an action ends with, if it does. */
const failure = (action) => {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
};
/** Tries once a second, for five minutes; says why it waits. */
const untilDone = (what, action) => {
  let said;
  for (let tries = 0; tries < 300; tries++) {
    const error = failure(action);
    if (error === undefined) return;
    if (error.isFinal) throw error;
    if (error.message !== said) print(`${what}: ${error.message}`);
    said = error.message;
    sleep(1000);
  }
  throw new Error(`gave up: ${what}: ${said}`);
};

let local;
untilDone('waits for mongod', () => {
  local = new Mongo(`mongodb://${LOCAL}/?directConnection=true`).getDB('admin');
});
const hello = () => local.runCommand({ hello: 1 });

// The server asks the other members first: it refuses while one of them does not answer, holds data, or belongs to a set. So a member
// that lost its volume makes no second set; it waits here until the others' set takes it in, which needs nothing from here.
// Nobody else can be elected at first: this member becomes the primary, where the localhost exception holds until there is a user.
const members = hosts.map((host, _id) => ({ _id, host, priority: _id === 0 ? 1 : 0 }));
untilDone('not initiated', () => {
  if (hello().setName === undefined) local.runCommand({ replSetInitiate: { _id: 'rs0', members } });
});
untilDone('waits for a primary', () => {
  if (hello().primary === undefined) throw new Error('there is none');
});
if (hello().isWritablePrimary)
  failure(() => local.createUser({ user: 'root', pwd: ROOT_PASSWORD, roles: ['root'] }));

let admin;
untilDone('waits for the set', () => {
  const uri = `mongodb://root:${encodeURIComponent(ROOT_PASSWORD)}@${MEMBERS}/?replicaSet=rs0&authSource=admin`;
  const error = failure(() => {
    admin = new Mongo(uri).getDB('admin');
  });
  // AuthenticationFailed
  if (error?.code !== 18) {
    if (error) throw error;
    return;
  }
  const text = 'root-password of the Secret is not the one that the data was made with: put the old one back';
  throw Object.assign(new Error(text), { isFinal: true });
});

/** The least by which the worker can tell how long the oplog lasts. */
const oplogReader = [{ resource: { db: 'local', collection: 'oplog.rs' }, actions: ['find'] }];
if (admin.getRole('oplogReader') === null)
  admin.createRole({ role: 'oplogReader', privileges: oplogReader, roles: [] });
const worker = {
  pwd: PASSWORD,
  roles: [
    { role: 'readWrite', db: DATABASE },
    { role: 'dbAdmin', db: DATABASE },
    { role: 'oplogReader', db: 'admin' },
  ],
};
if (admin.getUser('worker') === null) admin.createUser({ user: 'worker', ...worker });
else admin.updateUser('worker', worker);

untilDone('waits until every member can be elected', () => {
  const { config } = admin.runCommand({ replSetGetConfig: 1 });
  if (config.members.every(({ priority }) => priority > 0)) return;
  const equal = config.members.map((member) => ({ ...member, priority: 1 }));
  admin.runCommand({ replSetReconfig: { ...config, version: config.version + 1, members: equal } });
});
print(`replica set of ${hosts.length} members is ready`);
