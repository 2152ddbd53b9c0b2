/** Why MongoDB cannot be worked with, in words, each with what to do. Pure. */
import type { ReachFault } from '../../mongo/reach.ts';
import { failure, notChecked, ok, type Result, type Verdict } from './verdict.ts';

export interface ReachContext {
  database: string;
  /** Seconds that were waited for an answer. */
  patienceSeconds: number;
  isSrv: boolean;
}

const list = (names: readonly string[]): string => names.join(', ');
const isLoopback = (hosts: readonly string[]): boolean => hosts.some((host) => /^(localhost|127\.|\[::1\])/.test(host));
const containers =
  'in a container localhost is the container itself: there MongoDB is reached by the name of its service or host';

const initiate = (host: string): string =>
  `once, in mongosh at ${host}: rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "${host}" }] })`;

/** The network and its encryption. */
function connectionFault(fault: ReachFault, { patienceSeconds, isSrv }: ReachContext): Verdict | undefined {
  switch (fault.code) {
    case 'uri':
      return failure(
        `the driver cannot read MONGODB_URI: ${fault.message}`,
        'write it as mongodb://user:password@host:27017/?replicaSet=rs0&authSource=admin',
        'percent-encode : / ? # [ ] @ and % in user and password (@ is %40)',
      );
    case 'dns':
      return failure(
        `the name ${list(fault.hosts)} is not known here (${fault.message})`,
        'check how the host is spelt in MONGODB_URI, and the DNS of this machine',
        'a service of a container network is known by its name inside that network only',
      );
    case 'refused':
      return failure(
        `nobody listens at ${list(fault.hosts)}`,
        'start mongod there, or correct host and port in MONGODB_URI (27017 where nothing else was chosen)',
        isLoopback(fault.hosts)
          ? containers
          : 'mongod listens to 127.0.0.1 alone unless its net.bindIp names other addresses',
      );
    case 'silent':
      return failure(
        `${list(fault.hosts)} did not answer within ${patienceSeconds} s`,
        'let this machine through: a firewall, a security group or the IP access list of Atlas drops what it does not know',
        'check host and port in MONGODB_URI, and that mongod is not frozen',
      );
    case 'certificate':
      return failure(
        `the certificate of ${list(fault.hosts)} is not trusted (${fault.message})`,
        'where an authority of your own signed it, add tlsCAFile=/path/to/ca.pem to MONGODB_URI',
        'name the host as the certificate does',
      );
    case 'tls_missing':
      return failure(
        `${list(fault.hosts)} speaks TLS only, and MONGODB_URI does not ask for it`,
        'add tls=true to MONGODB_URI, and tlsCAFile=/path/to/ca.pem where an authority of your own signed the certificate',
      );
    case 'tls_unwanted':
      return failure(
        `MONGODB_URI asks for TLS, and ${list(fault.hosts)} does not speak it`,
        isSrv ? 'add tls=false to MONGODB_URI' : 'remove tls=true (or ssl=true) from MONGODB_URI',
        'or switch TLS on in mongod (net.tls)',
      );
    case 'broken':
      return failure(
        `${list(fault.hosts)} hung up (${fault.message})`,
        'check that it is a mongod that listens there',
        'where it wants a certificate of its clients, add tls=true and tlsCertificateKeyFile=/path/to/client.pem to MONGODB_URI',
      );
    case 'other':
      return failure(fault.message, 'check MONGODB_URI, the network, and that the servers are up');
    default:
      return undefined;
  }
}

function loginFault(fault: Extract<ReachFault, { code: 'login' }>, { database }: ReachContext): Verdict {
  const { source, works } = fault;
  if (works !== undefined)
    return failure(
      `user and password are right, but the user is kept in database ${works}, and was looked for in ${source}`,
      `add authSource=${works} to MONGODB_URI`,
    );
  return failure(
    `MongoDB refused the login: the user, looked for in database ${source}, or its password is wrong`,
    'correct user and password in MONGODB_URI; percent-encode : / ? # [ ] @ and % in them (@ is %40)',
    'where the user was made in another database, add authSource=<that database> to MONGODB_URI',
    `where there is none yet, in mongosh as an administrator: db.getSiblingDB("admin").createUser({ user: "communication-base", pwd: passwordPrompt(), roles: [{ role: "readWrite", db: "${database}" }] })`,
  );
}

/** The set as a whole. */
function setFault(fault: ReachFault): Verdict | undefined {
  switch (fault.code) {
    case 'standalone':
      return failure(
        `MongoDB at ${fault.host} runs as a standalone server, which has neither transactions nor change streams`,
        'start mongod with --replSet rs0 (replication.replSetName in mongod.conf); one node is enough',
        initiate(fault.host),
        'then add replicaSet=rs0 to MONGODB_URI',
      );
    case 'not_initiated':
      return failure(`mongod at ${fault.host} has a replica set that was never initiated`, initiate(fault.host));
    case 'not_primary':
      return failure(
        `${fault.host} is no primary, and MONGODB_URI goes to it alone`,
        'remove directConnection=true from MONGODB_URI and name the replica set instead (replicaSet=…)',
      );
    case 'other_set':
      return failure(
        `${fault.host} belongs to the replica set ${fault.found}, and MONGODB_URI asks for ${fault.asked}`,
        `set replicaSet=${fault.found} in MONGODB_URI`,
      );
    case 'no_primary':
      return failure(
        `the replica set ${fault.set} has no primary: of ${fault.members} members ${
          fault.silent.length === 0
            ? 'all answer, and none was elected yet'
            : `these do not answer: ${list(fault.silent)}`
        }`,
        'start the members that are down: a primary needs more than half of the votes',
        'rs.status() in mongosh tells how the members see each other',
      );
    case 'advertised':
      return failure(
        `${fault.host} answers, but its replica set ${fault.set} calls its members ${list(fault.names)}, and these cannot be reached from here (${fault.message})`,
        'clients go by the names of the set: make them known here (DNS, /etc/hosts, the same container network)',
        `or give the member a name that is known here, in mongosh: cfg = rs.conf(); cfg.members[0].host = "${fault.host}"; rs.reconfig(cfg)`,
        'or, of a set with one node, add directConnection=true to MONGODB_URI',
      );
    default:
      return undefined;
  }
}

const stages = ['connection', 'login', 'replica set'] as const;
type Stage = (typeof stages)[number];

/** The first of what depends on each other that failed; what came before held, the rest is not known. */
export function judgeReach(fault: ReachFault, context: ReachContext): Result[] {
  const [stage, verdict]: [Stage, Verdict] =
    fault.code === 'login'
      ? ['login', loginFault(fault, context)]
      : setFault(fault) === undefined
        ? ['connection', connectionFault(fault, context) ?? failure('it cannot be used', 'check MONGODB_URI')]
        : ['replica set', setFault(fault) as Verdict];
  return stages.map((one): Result => {
    const [at, failed] = [stages.indexOf(one), stages.indexOf(stage)];
    if (at === failed) return { group: 'mongodb', check: one, ...verdict };
    if (at > failed || one === 'login')
      return { group: 'mongodb', check: one, ...notChecked(`because mongodb, ${stage}, failed`) };
    return { group: 'mongodb', check: one, ...ok('a server answers') };
  });
}
