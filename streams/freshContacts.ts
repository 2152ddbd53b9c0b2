import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import { readContact } from '../src/domain/contact.ts';
import { isServiceError } from '../src/domain/errors.ts';
import { type ContactSource, contactSource } from '../src/domain/exit.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Contact, Run } from '../src/domain/model.ts';
import type { Logger } from '../src/domain/systemPorts.ts';
import type { Candidate, Candidates } from './load.ts';
import type { KnownRun } from './runs.ts';
import type { Schedule } from './schedule.ts';

/** Contacts of one collection that are read with one mapping. */
interface Group {
  run: Run;
  source: ContactSource;
  of: Candidate[];
}

export interface FreshParams {
  campaigns: Pick<CampaignStore, 'sources'>;
  schedule: Pick<Schedule, 'rest'>;
  logger: Logger;
}

/** Lanes of a campaign whose contacts take too long to read have no turn for so long, ms. */
const restMs = 10_000;

/**
 * Reads the contacts of those who may be sent a message in campaigns with `exitWhen` from their source, one query a campaign.
 * Who is not there any more, or cannot be used, stays as the conversation has him; where it takes too long, nobody is sent anything for a while. Nothing is read for other campaigns.
 */
export async function readFresh(
  candidates: Candidates,
  known: ReadonlyMap<string, KnownRun>,
  params: FreshParams,
): Promise<void> {
  for (const group of groupsOf(candidates, known)) await readGroup(group, params);
}

function groupsOf(candidates: Candidates, known: ReadonlyMap<string, KnownRun>): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const [key, { run, context, state }] of known) {
    const source = context?.exitWhen && state === 'running' ? contactSource(run.audience) : undefined;
    if (source) groups.set(key, { run, source, of: [] });
  }
  if (groups.size === 0) return [];
  for (const candidate of candidates.values())
    if (candidate.slot) groups.get(campaignKey(candidate.conversation.campaignId))?.of.push(candidate);
  return groups.values();
}

async function readGroup({ run, source, of }: Group, { campaigns, schedule, logger }: FreshParams): Promise<void> {
  if (of.length === 0 || run.audience.kind !== 'collection') return;
  const contacts = new Map<string, Contact>();
  try {
    const ids = [...new Set(of.map(({ conversation }) => conversation.contact.id))];
    const documents = await campaigns.sources(source, ids);
    if (documents === undefined) {
      logger.warn('contacts took too long to read again; who is due waits', { campaignId: run._id, restMs });
      for (const candidate of of) candidate.slot = false;
      schedule.rest(campaignKey(run._id), restMs);
      return;
    }
    for (const document of documents) {
      const { contact } = readContact(document, run.audience.map);
      // of several with one id the first is the one that entered
      if (contact && !contacts.has(campaignKey(contact.id))) contacts.set(campaignKey(contact.id), contact);
    }
  } catch (error) {
    if (!isServiceError(error, 'document_invalid')) throw error;
    logger.warn('contacts cannot be read again; exitWhen sees them as they entered', { campaignId: run._id, error });
  }
  for (const candidate of of) {
    const fresh = contacts.get(campaignKey(candidate.conversation.contact.id));
    if (fresh) candidate.fresh = fresh;
    else delete candidate.fresh;
  }
}
