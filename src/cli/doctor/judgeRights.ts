/** What the user may do, against what the service does. Pure. */
import { missingActions, type Rights } from '../../mongo/rights.ts';
import { failure, notChecked, ok, type Result, type Verdict, warning } from './verdict.ts';

export interface Place {
  database: string;
  /** Ours. */
  collections: readonly string[];
}

/** Actions of the role readWrite that work needs. Source: MongoDB manual, "Built-In Roles". */
const work = ['find', 'insert', 'update', 'remove'] as const;
const prepare = ['createCollection', 'createIndex', 'listIndexes'] as const;

const name = (text: string): string => JSON.stringify(text);

/** For mongosh, as somebody who may. */
const grant = (role: string, { user, source }: { user: string; source: string }, database: string): string =>
  `in mongosh as an administrator: db.getSiblingDB(${name(source)}).grantRolesToUser(${name(user)}, [{ role: ${name(role)}, db: ${name(database)} }])`;

type User = Extract<Rights, { kind: 'user' }>;

const whole = (place: Place): Place => ({ ...place, collections: [''] });

function ofWork(rights: User, place: Place): Verdict {
  const { privileges } = rights;
  const { database } = place;
  const missing = [
    ...missingActions(privileges, work, place),
    ...missingActions(privileges, ['changeStream', 'listCollections'], whole(place)),
  ];
  const unprepared = missingActions(privileges, prepare, place);
  const mend = grant('readWrite', rights, database);
  const list = [...missing, ...unprepared].join(', ');
  if (missing.length > 0) return failure(`the user may not ${list} in database ${database}`, mend);
  if (unprepared.length > 0)
    return warning(`the user may not ${list} in database ${database}: init cannot make what is missing`, mend);
  return ok(`the user may read, write, watch and prepare database ${database}`);
}

function ofValidators(rights: User, place: Place): Verdict {
  if (missingActions(rights.privileges, ['collMod'], place).length === 0) return ok('the user may change validators');
  return warning(
    'the user may not collMod: after an upgrade init leaves the validators of the release before in place; all else works',
    `${grant('dbAdmin', rights, place.database)}; or run init once as somebody who may`,
  );
}

/** Who is logged in, and what he may do. */
export function judgeRights(rights: Rights, place: Place): Result[] {
  const login = (verdict: Verdict): Result => ({ group: 'mongodb', check: 'login', ...verdict });
  const as = (check: string, verdict: Verdict): Result => ({ group: 'rights', check, ...verdict });
  switch (rights.kind) {
    case 'open':
      return [
        login(ok('MongoDB asks nobody for a login')),
        as('work', ok('access control is off: whoever reaches MongoDB may do everything')),
      ];
    case 'nobody':
      return [
        login(
          failure(
            'MongoDB asks for a login, and MONGODB_URI has none',
            'write it as mongodb://user:password@host:27017/?replicaSet=rs0&authSource=admin, or give it by MONGODB_URI_FILE',
          ),
        ),
        as('all', notChecked('because nobody is logged in')),
      ];
    case 'user':
      return [
        login(ok(`logged in as ${rights.user}, a user of database ${rights.source}`)),
        as('work', ofWork(rights, place)),
        as('validators', ofValidators(rights, place)),
      ];
  }
}
