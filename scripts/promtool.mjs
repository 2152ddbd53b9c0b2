// promtool: from PATH, kept from an earlier run, unpacked from Debian's package, or built from Prometheus' own module. One that does not
// answer is none, wherever it comes from: a download may have been cut short.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { builtByGo, firstOf, kept, once, onPath, run } from './fetched.mjs';

/** Without service discovery, which no test of rules needs. About two minutes. */
const program = {
  ...{ module: 'github.com/prometheus/prometheus', path: 'cmd/promtool', version: 'v0.316.0', go: '1.26.7' },
  ...{ sum: 'h1:f1GRFerhTMKQma+awCoC9T820ecWeGSdF+xAlMHzZzM=', flags: ['-tags=remove_all_sd'] },
};

/** The program, if it answers. */
function answering(file) {
  if (file === undefined) throw new Error('none');
  run(file, ['--version'], { timeout: 20_000 });
  return file;
}

/** apt holds what it downloads against the sums of its signed lists; no root is needed, and nothing is installed. */
function unpacked(folder) {
  const lists = join(folder, 'apt');
  for (const part of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(lists, part), { recursive: true });
  const own = ['-o', `Dir::State::Lists=${join(lists, 'state/lists')}`, '-o', `Dir::Cache=${join(lists, 'cache')}`];
  const load = (options) =>
    run('apt-get', [...options, 'download', 'prometheus'], { cwd: folder, check: false, timeout: 120_000 });
  if (load([]).status !== 0) {
    // a fresh machine has no lists, and those of the machine are root's
    run('apt-get', [...own, '-qq', 'update'], { timeout: 120_000 });
    const { status, stdout, stderr } = load(own);
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
  }
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  run('dpkg', ['-x', file, '.'], { cwd: folder, timeout: 60_000 });
  rmSync(join(folder, file));
  rmSync(lists, { recursive: true });
}

/** As it is kept; what was kept and does not answer is made anew. */
function take(name, make) {
  const found = make();
  try {
    return answering(found);
  } catch {
    rmSync(join(kept, name), { recursive: true, force: true });
    return answering(make());
  }
}

/** Path of a promtool that answers. Throws, with all that was tried, where none is to be had. */
export const findPromtool = () =>
  firstOf('promtool', [
    ['promtool on PATH', () => answering(onPath('promtool'))],
    [
      'the package prometheus of Debian',
      () => take('prometheus-debian', () => once('prometheus-debian', 'usr/bin/promtool', unpacked)),
    ],
    [
      `${program.module} ${program.version} built by Go`,
      () => take(`promtool-${program.version}`, () => builtByGo('promtool', program)),
    ],
  ]);
