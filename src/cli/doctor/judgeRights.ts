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

const whole = (place: Place): Place => ({ ...place, collections: [''] });

function ofUser(rights: Extract<Rights, { kind: 'user' }>, place: Place): Record<string, Verdict> {
  const { privileges } = rights;
  const { database } = place;
  const missing = [
    ...missingActions(privileges, work, place),
    ...missingActions(privileges, ['changeStream', 'listCollections'], whole(place)),
  ];
  const unprepared = missingActions(privileges, prepare, place);
  const cannotModify = missingActions(privileges, ['collMod'], place).length > 0;
  return {
    work:
      missing.length === 0
        ? ok(`the user may read, write and watch database ${database}`)
        : failure(
            `the user may not ${missing.join(', ')} in database ${database}`,
            grant('readWrite', rights, database),
          ),
    init:
      unprepared.length === 0
        ? ok('the user may make collections and indexes')
        : warning(
            `the user may not ${unprepared.join(', ')} in database ${database}: init cannot make what is missing`,
            grant('readWrite', rights, database),
          ),
    validators: cannotModify
      ? warning(
          'the user may not collMod: after an upgrade init leaves the validators of the release before in place; all else works',
          `${grant('dbAdmin', rights, database)}; or run init once as somebody who may`,
        )
      : ok('the user may change validators'),
  };
}

export function judgeRights(rights: Rights, place: Place): Result[] {
  const as = (check: string, verdict: Verdict): Result => ({ group: 'rights', check, ...verdict });
  if (rights.kind === 'open')
    return [as('work', ok('access control is off: whoever reaches MongoDB may do everything'))];
  if (rights.kind === 'nobody')
    return [
      as(
        'work',
        failure(
          'MongoDB asks for a login, and MONGODB_URI has none',
          'write it as mongodb://user:password@host:27017/?replicaSet=rs0&authSource=admin, or give it by MONGODB_URI_FILE',
        ),
      ),
      as('init', notChecked('because nobody is logged in')),
      as('validators', notChecked('because nobody is logged in')),
    ];
  return Object.entries(ofUser(rights, place)).map(([check, verdict]) => as(check, verdict));
}
