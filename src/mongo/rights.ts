/** What the user of MONGODB_URI may do in a database. */
import type { Db } from 'mongodb';
import { MongoServerError } from 'mongodb';

/** As `connectionStatus` gives it; source: MongoDB manual, "connectionStatus", "Resource Document". */
export interface Privilege {
  resource: { db?: string; collection?: string; cluster?: boolean; anyResource?: boolean };
  actions: readonly string[];
}

export type Rights =
  /** Access control is off: everybody may do everything. */
  | { kind: 'open' }
  /** The server asks for a login, and the URI has none. */
  | { kind: 'nobody' }
  | { kind: 'user'; user: string; source: string; privileges: readonly Privilege[] };

/** Reads what the connection itself knows: no user document is read, and no right is needed. */
export async function readRights(db: Db): Promise<Rights> {
  const status = await db.admin().command({ connectionStatus: 1, showPrivileges: true });
  const { authenticatedUsers = [], authenticatedUserPrivileges = [] } = status['authInfo'] ?? {};
  const [first] = authenticatedUsers as { user: string; db: string }[];
  if (first !== undefined)
    return { kind: 'user', user: first.user, source: first.db, privileges: authenticatedUserPrivileges };
  try {
    await db.listCollections({}, { nameOnly: true, batchSize: 1 }).toArray();
    return { kind: 'open' };
  } catch (error) {
    if (error instanceof MongoServerError && error.code === 13) return { kind: 'nobody' };
    throw error;
  }
}

const covers = ({ resource, actions }: Privilege, action: string, database: string, collection: string): boolean => {
  if (!actions.includes(action) && !actions.includes('anyAction')) return false;
  if (resource.anyResource === true) return true;
  if (resource.db === undefined || resource.cluster === true) return false;
  const isOurs = resource.db === database || resource.db === '';
  return isOurs && (resource.collection === '' || resource.collection === collection);
};

/** Those of the actions that are not granted on each one of the collections. */
export const missingActions = (
  privileges: readonly Privilege[],
  actions: readonly string[],
  { database, collections }: { database: string; collections: readonly string[] },
): string[] =>
  actions.filter(
    (action) => !collections.every((collection) => privileges.some((one) => covers(one, action, database, collection))),
  );
