#!/usr/bin/env node
// Does what the tour of README.md and docs/tour.md says, word by word, in a copy of the project, and compares what is printed with
// what they show. `--write` puts what is printed into them instead; `--install` runs `npm ci` there too.
//
// A block of `sh` is typed into the terminal that the comment before it names (`<!-- terminal: worker -->`; the last one
// otherwise); what ends has to end with 0. The block of `text` behind it is what it prints; a line of "…" stands for any lines.
// Times, durations, ids and the width of columns may differ, counts may not. A last command that looks at something is typed
// again until it shows what it should.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The pages in their order, each with the heading at which its part of the tour begins; it goes up to the next of that level. */
const pages = [
  { path: 'README.md', heading: '\n## Five minutes' },
  { path: 'docs/tour.md', heading: '# The tour' },
];
const writes = process.argv.includes('--write');
const installs = process.argv.includes('--install');
const stepTimeoutMs = installs ? 300_000 : 180_000;

/** The steps of a page. */
function stepsOf({ path, heading }) {
  const text = readFileSync(join(root, path), 'utf8');
  const from = text.indexOf(heading);
  if (from < 0) throw new Error(`${path} has no heading "${heading.trim()}"`);
  const level = heading.trim().match(/^#+ /)[0];
  const next = text.indexOf(`\n${level}`, from + 1);
  const to = next < 0 ? text.length : next;
  const pattern = /<!-- terminal: (\w+) -->|^```(sh|text)\n([\s\S]*?)^```$/gm;
  pattern.lastIndex = from;
  const steps = [];
  let terminal = 'yours';
  for (let match = pattern.exec(text); match !== null && match.index < to; match = pattern.exec(text)) {
    const [, named, kind, body] = match;
    if (named) terminal = named;
    else if (kind === 'sh') steps.push({ path, terminal, commands: body.trim().split('\n') });
    else steps.at(-1).shown = { text: body, at: match.index + '```text\n'.length };
  }
  return steps;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const ansi = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** What stays the same from run to run. */
const gist = (line) =>
  line
    .replace(ansi, '')
    .replace(/\/\S*\/communication-base-\S+/g, 'PATH')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{32}\b/g, 'ID')
    .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?( UTC)?|\b\d\d:\d\d(:\d\d)?\b/g, 'TIME')
    .replace(/\b\d[\d.,]* (ms|s|min|h)\b( \d+ (ms|s|min|h)\b)*/g, 'SPAN')
    .replace(/\bsms-\d+\b/g, 'sms-N')
    .replace(/\b\d+ KB\b/g, 'N KB')
    // the beat of a member
    .replace(/^(ID .* TIME +)\d+ /, '$1N ')
    .replace(/[█▏▎▍▌▋▊▉░─▬]+/g, '▒')
    .replace(/[\s▒]+/g, ' ')
    .trim();

/** Whether lines are as they are shown, "…" standing for any number of them. */
function isLike(shown, printed) {
  const [first, ...rest] = shown;
  if (first === undefined) return printed.length === 0;
  if (first === '…') return rest.length === 0 || printed.some((_, index) => isLike(rest, printed.slice(index)));
  return printed.length > 0 && first === printed[0] && isLike(rest, printed.slice(1));
}
const linesOf = (text) =>
  text
    .split('\n')
    .map(gist)
    .filter((line) => line !== '');

/** A shell that is typed into; what it prints is kept in the order in which it came. */
class Terminal {
  printed = '';
  #shell;
  #waiting;

  constructor(folder) {
    const env = { ...process.env, NO_COLOR: '1' };
    this.#shell = spawn('bash', ['--noprofile', '--norc'], { cwd: folder, env, detached: true });
    this.#shell.stdout.setEncoding('utf8').on('data', (text) => {
      this.printed += text;
      this.#waiting?.();
    });
    this.#shell.stdin.write('exec 2>&1\n');
  }

  /** Resolves with what the command printed once it has ended, and whether it ended with 0. */
  async run(command, ms) {
    this.printed = '';
    this.#shell.stdin.write(`${command}\necho "ended=$?"\n`);
    const ended = await this.until((text) => /^ended=\d+$/m.test(text), ms);
    return { ok: ended && /^ended=0$/m.test(this.printed), printed: this.printed.replace(/^ended=\d+\n/m, '') };
  }

  /** Starts what stays. */
  start(command) {
    this.printed = '';
    this.#shell.stdin.write(`${command}; echo "ended=$?"\n`);
  }

  /** Of what was started. */
  get hasEnded() {
    return /^ended=\d+$/m.test(this.printed);
  }

  /** Waits for what is printed; false when the time is over. */
  async until(isThere, ms) {
    const end = Date.now() + ms;
    while (!isThere(this.printed) && Date.now() < end) {
      await new Promise((resolve) => {
        this.#waiting = resolve;
        setTimeout(resolve, 200);
      });
    }
    return isThere(this.printed);
  }

  /** Ctrl-C to whatever runs in it, then the shell itself. */
  async close() {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.stdin.end();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL']) {
      this.kill(signal);
      if (await Promise.race([gone.then(() => true), sleep(20_000, false, { ref: false })])) break;
    }
    // a worker finishes what it has in flight
    while (this.kill(0)) await sleep(100);
  }

  kill(signal) {
    try {
      return process.kill(-this.#shell.pid, signal);
    } catch {
      return false;
    }
  }
}

const terminals = new Map();

/** Types one step; resolves with what it printed, and whether that is what is shown. */
async function take({ terminal: name, commands: all, shown: block }, folder) {
  const terminal = terminals.get(name) ?? new Terminal(folder);
  terminals.set(name, terminal);
  const shown = block && linesOf(block.text);
  const matches = (text) => shown === undefined || isLike(shown, linesOf(text));
  const commands = all.filter((line) => installs || line !== 'npm ci');
  const last = commands.pop();
  let before = '';
  for (const command of commands) {
    const { ok, printed } = await terminal.run(command, stepTimeoutMs);
    before += printed;
    if (!ok) return { ok, printed: before };
  }
  const end = Date.now() + stepTimeoutMs;
  if (/communication-base worker|npm run sandbox/.test(last)) {
    terminal.start(last);
    const isThere = await terminal.until((text) => matches(text) || terminal.hasEnded, stepTimeoutMs);
    return { ok: isThere && !terminal.hasEnded, printed: before + terminal.printed, stays: true };
  }
  const looks = /communication-base (status|explain|members|audit)\b/.test(last);
  for (let previous = ''; ; await sleep(1000)) {
    const { ok, printed } = await terminal.run(last, Math.max(0, end - Date.now()));
    const text = before + printed;
    const isSettled = !looks || linesOf(text).join('\n') === previous;
    if (ok && (writes ? isSettled : matches(text))) return { ok, printed: text };
    if (!looks || Date.now() > end) return { ok: false, printed: text };
    previous = linesOf(text).join('\n');
  }
}

function copyProject() {
  const folder = mkdtempSync(join(tmpdir(), 'communication-base-tour-'));
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error('the tour needs a git checkout, of which it makes a copy');
  for (const path of stdout.split('\0').filter(Boolean)) cpSync(join(root, path), join(folder, path), { force: true });
  if (!installs) {
    cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  }
  return folder;
}

async function cleanUp(folder) {
  for (const terminal of [...terminals.values()].reverse()) await terminal.close();
  rmSync(folder, { recursive: true, force: true });
}

const steps = pages.flatMap(stepsOf);
const folder = copyProject();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    for (const terminal of terminals.values()) terminal.kill('SIGTERM');
    void cleanUp(folder).finally(() => process.exit(1));
  });
let failed;
const written = [];
try {
  for (const step of steps) {
    process.stdout.write(`${step.terminal}$ ${step.commands.join(`\n${step.terminal}$ `)}\n`);
    const { ok, printed, stays } = await take(step, folder);
    process.stdout.write(`${printed}\n`);
    const isWhole = step.shown && !stays && !/^…$/m.test(step.shown.text);
    if (writes && isWhole) written.unshift({ ...step.shown, path: step.path, printed });
    if (!ok) failed = step;
    const gone = steps.find(({ terminal }) => terminal !== step.terminal && terminals.get(terminal)?.hasEnded);
    if (gone) failed = gone;
    if (failed) break;
  }
} finally {
  await cleanUp(folder);
}
if (failed) {
  const { commands, shown } = failed;
  process.stderr.write(
    `not as ${failed.path} shows it: ${commands.join('; ')}\n${shown?.text ?? 'it has to end with 0'}\n`,
  );
  process.exitCode = 1;
} else {
  for (const { path } of writes ? pages : []) {
    let now = readFileSync(join(root, path), 'utf8');
    // from the last to the first, so that places stay what they are
    for (const { at, text: old, printed } of written.filter((block) => block.path === path))
      now = `${now.slice(0, at)}${printed.trim()}\n${now.slice(at + old.length)}`;
    writeFileSync(join(root, path), now);
  }
  process.stdout.write(`${steps.length} steps of ${pages.map(({ path }) => path).join(' and ')} do what they say\n`);
}
