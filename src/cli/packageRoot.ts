import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** URL of the package's folder, with a slash at its end, from `src` and from `dist/src` alike. */
export function packageRoot(from: string = import.meta.url): URL {
  for (let folder = dirname(fileURLToPath(from)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return pathToFileURL(`${folder}/`);
    if (folder === dirname(folder)) throw new Error('package.json of communication-base is missing');
  }
}
