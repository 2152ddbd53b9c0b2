import type { Contact, Id, Skipped } from '../src/domain/model.ts';
import { addressIn } from '../src/domain/stages.ts';

/** What keeps contacts out of a campaign beside what is wrong with them. */
export interface AdmissionRules {
  /** Which of these conversations exist. */
  existing: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Which of these contacts are left out, by `key`. Absent: none. */
  excluded?: (ids: readonly Id[]) => Promise<ReadonlySet<string>>;
  /** Absent: addresses may be shared. */
  addresses?: {
    /** Contact field that is compared. */
    field: string;
    /** `campaign_addresses` of an address. */
    keyOf: (address: string) => string;
    taken: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
  };
  key: (id: Id) => string;
}

export interface Admission {
  /** By conversation id, in the order given. */
  entering: Map<string, Contact>;
  skipped: Skipped;
  /** `campaign_addresses` that they take. */
  addresses: string[];
}

/**
 * Who of these contacts (by conversation id) enters. A contact that is in the campaign already counts as duplicate_contact,
 * whatever else there is to say of it. One without an address shares none.
 */
export async function admit(contacts: ReadonlyMap<string, Contact>, rules: AdmissionRules): Promise<Admission> {
  const entering = new Map(contacts);
  const skipped: Skipped = {};
  const leaveOut = (reason: keyof Skipped, ids: readonly string[]): void => {
    for (const id of ids) entering.delete(id);
    if (ids.length > 0) skipped[reason] = ids.length;
  };
  if (entering.size > 0) leaveOut('duplicate_contact', [...(await rules.existing([...entering.keys()]))]);
  if (rules.excluded && entering.size > 0) {
    const excluded = await rules.excluded([...entering.values()].map(({ id }) => id));
    leaveOut(
      'excluded',
      idsOf(entering, (contact) => excluded.has(rules.key(contact.id))),
    );
  }
  if (rules.addresses === undefined || entering.size === 0) return { entering, skipped, addresses: [] };
  const { field, keyOf, taken } = rules.addresses;
  const keys = new Map<string, string>();
  for (const [id, contact] of entering) {
    const address = addressIn(contact, field);
    if (address !== undefined) keys.set(id, keyOf(address));
  }
  const known = new Set(await taken([...new Set(keys.values())]));
  const addresses: string[] = [];
  const doubles: string[] = [];
  for (const [id, key] of keys) {
    if (known.has(key)) doubles.push(id);
    else addresses.push(key);
    known.add(key);
  }
  leaveOut('duplicate_address', doubles);
  return { entering, skipped, addresses };
}

const idsOf = (contacts: ReadonlyMap<string, Contact>, which: (contact: Contact) => boolean): string[] =>
  [...contacts].filter(([, contact]) => which(contact)).map(([id]) => id);
