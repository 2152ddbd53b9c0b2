// For mongosh, beside the first member: makes the replica set and its users, once; a second run changes nothing.
// Environment: MEMBERS (host:port, separated by commas; the first is this one), ROOT_PASSWORD, PASSWORD, DATABASE, LOCAL.
const hosts = process.env.MEMBERS.split(',');
const url = `mongodb://${process.env.LOCAL || '127.0.0.1:27017'}/?directConnection=true`;
const codeOf = (action) => {
  try {
    action();
    return 0;
  } catch (error) {
    return error.code ?? -1;
  }
};
const until = (isSo, what) => {
  for (let tries = 0; tries < 300; tries++) {
    if (isSo()) return;
    sleep(1000);
  }
  throw new Error(`gave up waiting for ${what}`);
};

let connection;
until(() => codeOf(() => (connection = new Mongo(url))) === 0, 'mongod');
const admin = connection.getDB('admin');
const isPrimary = () => admin.runCommand({ hello: 1 }).isWritablePrimary === true;

// Alone at first: so this member becomes the primary, where the localhost exception holds until there is a user.
if (admin.runCommand({ hello: 1 }).setName === undefined) {
  const code = codeOf(() =>
    admin.runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: hosts[0] }] } }),
  );
  // AlreadyInitialized, Unauthorized: a member that has just started and belongs to a set
  if (![0, 23, 13].includes(code)) throw new Error(`replSetInitiate failed with code ${code}`);
}
until(() => admin.runCommand({ hello: 1 }).primary !== undefined, 'a primary');
if (isPrimary()) {
  codeOf(() => admin.createUser({ user: 'root', pwd: process.env.ROOT_PASSWORD, roles: ['root'] }));
  admin.auth('root', process.env.ROOT_PASSWORD);
  if (admin.getUser('worker') === null) {
    admin.createUser({
      user: 'worker',
      pwd: process.env.PASSWORD,
      roles: [
        { role: 'readWrite', db: process.env.DATABASE },
        { role: 'dbAdmin', db: process.env.DATABASE },
      ],
    });
  }
  const config = () => admin.runCommand({ replSetGetConfig: 1 }).config;
  // One at a time: a change of configuration may add one vote.
  for (const [_id, host] of hosts.entries()) {
    if (config().members.some((member) => member.host === host)) continue;
    until(() => {
      const now = config();
      const members = [...now.members, { _id, host }];
      return codeOf(() => admin.runCommand({ replSetReconfig: { ...now, version: now.version + 1, members } })) === 0;
    }, `${host} to be taken in`);
  }
  print(`replica set of ${config().members.length} members is ready`);
} else {
  print('another member is the primary: the set was made before');
}
