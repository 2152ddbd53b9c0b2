#!/usr/bin/env node
// Does what the tour of README.md says, word by word, in a copy of the project, and compares what is printed with what the
// README shows. `--write` puts what is printed into the README instead; `--install` runs `npm ci` there too.
//
// A block of `sh` is typed into the terminal that the comment before it names (`<!-- terminal: worker -->`; the last one
// otherwise). The block of `text` behind it is what it prints; a line of "…" stands for any lines. Figures, times, ids and
// the width of columns may differ. Commands that look at something are looked at again until it shows.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = join(root, 'README.md');
const writes = process.argv.includes('--write');
const installs = process.argv.includes('--install');
const stepTimeoutMs = installs ? 300_000 : 180_000;

/** The steps between "## Five minutes" and the next heading of that level. */
function stepsOf(text) {
  const from = text.indexOf('\n## Five minutes');
  const to = text.indexOf('\n## ', from + 1);
  const pattern = /<!-- terminal: (\w+) -->|^```(sh|text)\n([\s\S]*?)^```$/gm;
  pattern.lastIndex = from;
  const steps = [];
  let terminal = 'first';
  for (let match = pattern.exec(text); match !== null && match.index < to; match = pattern.exec(text)) {
    const [, named, kind, body] = match;
    if (named) terminal = named;
    else if (kind === 'sh') steps.push({ terminal, commands: body.trim().split('\n') });
    else steps.at(-1).shown = { text: body, at: match.index + '```text\n'.length };
  }
  return steps;
}

/** What stays the same from run to run. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const ansi = /\u001b\[[0-9;?]*[A-Za-z]/g;
const gist = (line) =>
  line
    .replace(ansi, '')
    .replace(/\/\S*\/communication-base-\S+/g, 'PATH')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{32}\b/g, 'ID')
    .replace(/\d[\d,.:TZ-]*/g, '0')
    .replace(/\b0 (ms|s|min|h)\b( 0 (ms|s|min|h)\b)*/g, '0 s')
    .replace(/[█▏▎▍▌▋▊▉░─]+/g, '▒')
    .replace(/[\s▒]+/g, ' ')
    .trim();

/** Whether lines are as they are shown, "…" standing for any number of them. */
function isLike(shown, printed) {
  const [first, ...rest] = shown;
  if (first === undefined) return printed.length === 0;
  if (first === '…') return printed.some((_, index) => isLike(rest, printed.slice(index))) || rest.length === 0;
  return printed.length > 0 && first === printed[0] && isLike(rest, printed.slice(1));
}
const linesOf = (text) =>
  text
    .split('\n')
    .map(gist)
    .filter((line) => line !== '');

/** A shell that is typed into; what it prints since the last prompt is kept. */
class Terminal {
  printed = '';
  #shell;
  #waiting;

  constructor(folder) {
    const env = { ...process.env, NO_COLOR: '1', PS1: '' };
    this.#shell = spawn('bash', ['--noprofile', '--norc'], { cwd: folder, env, detached: true });
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.printed += text;
        this.#waiting?.();
      });
  }

  type(line) {
    this.#shell.stdin.write(`${line}\n`);
  }

  /** What is printed until `isThere` of it, or until the time is over. */
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
    if (this.#shell.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.stdin.end();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL']) {
      try {
        process.kill(-this.#shell.pid, signal);
      } catch {}
      if (await Promise.race([gone.then(() => true), sleep(20_000, false, { ref: false })])) return;
    }
  }
}

/** Types one step; resolves with what it printed, and whether that is what is shown. */
async function take(step, terminals, folder) {
  let terminal = terminals.get(step.terminal);
  if (terminal === undefined) {
    terminal = new Terminal(folder);
    terminals.set(step.terminal, terminal);
  }
  const shown = step.shown && linesOf(step.shown.text);
  const matches = (text) => shown === undefined || isLike(shown, linesOf(text));
  const commands = step.commands.filter((line) => installs || line !== 'npm ci');
  const stays = /communication-base worker|npm run sandbox/.test(commands.at(-1) ?? '');
  const looks = /communication-base (status|explain|members|audit)\b/.test(commands.at(-1) ?? '');
  const end = Date.now() + stepTimeoutMs;
  for (;;) {
    terminal.printed = '';
    for (const line of commands) terminal.type(line);
    if (stays) {
      const isThere = await terminal.until(matches, end - Date.now());
      return { ok: isThere, printed: terminal.printed };
    }
    terminal.type('echo "exit=$?"');
    const ended = await terminal.until((text) => /^exit=\d+$/m.test(text), end - Date.now());
    const printed = terminal.printed.replace(/^exit=\d+\n/m, '');
    const ok = ended && terminal.printed.includes('exit=0') && (writes || matches(printed));
    if (ok || !looks || Date.now() > end) return { ok, printed };
    await sleep(1000);
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

const text = readFileSync(readme, 'utf8');
const steps = stepsOf(text);
const folder = copyProject();
const terminals = new Map();
let failed = 0;
let written = text;
try {
  for (const step of steps) {
    process.stdout.write(`${step.terminal}$ ${step.commands.join(`\n${step.terminal}$ `)}\n`);
    const { ok, printed } = await take(step, terminals, folder);
    process.stdout.write(`${printed}\n`);
    if (writes && step.shown && !step.shown.text.includes('…'))
      written = written.replace(`\`\`\`text\n${step.shown.text}`, `\`\`\`text\n${printed.trim()}\n`);
    if (ok) continue;
    failed += 1;
    process.stderr.write(`NOT AS SHOWN: ${step.commands.join('; ')}\nthe README shows:\n${step.shown?.text ?? ''}\n`);
    break;
  }
} finally {
  for (const terminal of [...terminals.values()].reverse()) await terminal.close();
  rmSync(folder, { recursive: true, force: true });
}
if (writes && failed === 0) writeFileSync(readme, written);
process.stdout.write(
  failed === 0 ? `${steps.length} steps of ${dirname(readme) && 'README.md'} do what it says\n` : '',
);
process.exitCode = failed === 0 ? 0 : 1;
