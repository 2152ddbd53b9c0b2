import type { CampaignWrite } from './campaignPorts.ts';
import type { Run } from './model.ts';

/** The run after a write of `decideCampaign`. */
export function runAfter(run: Run | undefined, write: CampaignWrite): Run | undefined {
  if (write.run === undefined) return run;
  if ('insert' in write.run) return write.run.insert;
  const { set, unset = [] } = write.run;
  const gone = new Set<string>(unset);
  const fields = Object.entries({ ...run, ...set }).filter(([name]) => !gone.has(name));
  return Object.fromEntries(fields) as unknown as Run;
}
