/** A campaign file and its contacts, as commands are given them. */
import { type CampaignFile, readCampaignFile } from '../document/document.ts';
import { type ContactsOptions, type Target, targetOf } from './submitContacts.ts';

export interface FileParams extends Partial<ContactsOptions> {
  /** Path, or "-" for stdin. */
  file: string;
}

/** The campaign as it will be with the contacts' collection as its audience. */
export async function readBoth(params: FileParams): Promise<{ read: CampaignFile; target: Target | undefined }> {
  const read = await readCampaignFile(params.file);
  if (params.contacts === undefined || read.document === undefined) return { read, target: undefined };
  const target = targetOf(read.document, params);
  if (!('fault' in target)) return { read, target };
  return { read: { ...read, faults: [...read.faults, read.place(target.fault)] }, target: undefined };
}
