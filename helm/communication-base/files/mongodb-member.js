// For mongosh, beside each member: ends when the member has all data of its set, so that a roll takes down no other before that.
// Environment: LOCAL (host:port). Proven by npm run proof:mongodb.
const { LOCAL = '127.0.0.1:27017' } = process.env;

let local;
/** What keeps the member from being of use to its set; undefined: nothing. */
const lack = () => {
  try {
    // one connection for all tries
    local ??= new Mongo(`mongodb://${LOCAL}/?directConnection=true`).getDB('admin');
    const hello = local.runCommand({ hello: 1 });
    if (hello.isWritablePrimary || hello.secondary) return undefined;
    return hello.setName === undefined ? 'it is in no set' : 'it has not all data yet';
  } catch (error) {
    return error.message;
  }
};
let said;
for (let why = lack(); why !== undefined; why = lack()) {
  if (why !== said) print(`waits for the member: ${why}`);
  said = why;
  sleep(1000);
}
print('the member has all data of its set');
