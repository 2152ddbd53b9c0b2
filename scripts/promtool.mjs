// promtool: from PATH, kept from an earlier run, unpacked from Debian's package, or built from Prometheus' own module. One that does not
// answer is none, wherever it comes from: a download may have been cut short.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { go, kept, once, run, say } from './chart/tools.mjs';

const module = 'github.com/prometheus/prometheus/cmd/promtool@v0.316.0';

const answers = (command) => spawnSync(command, ['--version'], { encoding: 'utf8', timeout: 20_000 }).status === 0;

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

/** Without service discovery, which no test of rules needs, and not optimised: it is built more often than it runs. About two minutes. */
function built(folder) {
  const flags = ['-gcflags=all=-N -l', '-ldflags=-s -w', '-tags=remove_all_sd'];
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' };
  run(go(), ['install', ...flags, module], { env, timeout: 240_000 });
}

const sources = [
  { name: 'prometheus-debian', file: 'usr/bin/promtool', make: unpacked },
  { name: module.replaceAll(/[^\w.-]+/g, '-'), file: 'promtool', make: built },
];

function take({ name, file, make }) {
  const whole = (folder) => {
    make(folder);
    if (!answers(join(folder, file))) throw new Error(`${file} does not answer`);
  };
  try {
    const found = once(name, file, whole);
    if (answers(found)) return found;
    rmSync(join(kept, name), { recursive: true, force: true });
    return once(name, file, whole);
  } catch (error) {
    say(`${name}: ${error.message.trim().split('\n').at(-1)}`);
    return undefined;
  }
}

/** Path of a promtool that answers; undefined, said why, where none is to be had. */
export function findPromtool() {
  if (answers('promtool')) return 'promtool';
  for (const source of sources) {
    const found = take(source);
    if (found !== undefined) return found;
  }
  return undefined;
}
