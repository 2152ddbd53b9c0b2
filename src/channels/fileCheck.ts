/** Whether a file can be appended to; none is made. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ChannelCheck } from '../domain/channelPorts.ts';

const failed = (found: string): ChannelCheck => ({ kind: 'failed', trouble: 'path', found });
const why = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

const isAllowed = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** Never throws. A file that is not there yet needs a folder that can be written to. */
export async function checkFile(path: string): Promise<ChannelCheck> {
  const file = resolve(path);
  const found = await stat(file).catch(why);
  if (found === 'ENOENT') return checkFolder(dirname(file), file);
  if (typeof found === 'string') return failed(`${file} cannot be looked at (${found})`);
  if (found.isDirectory()) return failed(`${file} is a folder, not a file`);
  // it is read as well, to see how it ends
  const mode = found.isFile() ? constants.W_OK | constants.R_OK : constants.W_OK;
  if (!(await isAllowed(file, mode))) return failed(`${file} may not be written by the user of this process`);
  return { kind: 'ready', found: `${file} can be written` };
}

async function checkFolder(folder: string, file: string): Promise<ChannelCheck> {
  const found = await stat(folder).catch(why);
  if (typeof found === 'string') return failed(`the folder ${folder} of ${file} is not there (${found})`);
  if (!found.isDirectory()) return failed(`${folder} is no folder`);
  if (!(await isAllowed(folder, constants.W_OK | constants.X_OK)))
    return failed(`the user of this process may not write to the folder ${folder}`);
  return { kind: 'ready', found: `${file} will be made by the first message` };
}
