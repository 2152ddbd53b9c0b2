// Helm without a cluster: `lint --strict` and `template`, by the program where there is one, else by its engine as a library.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHelm, helmLibrary, helmProgram, run } from './tools.mjs';

const kubernetes = ['--kube-version', '1.31.0'];

/**
 * Answers to `[{ lint: chart, values }, { render: chart, values }]`, in order: `{ ok, text }`; text is the manifests, or what is wrong.
 * @returns {{ name: string, ask(questions: object[]): { ok: boolean, text: string }[] }}
 */
export function findEngine() {
  const program = findHelm();
  if (program !== undefined) return byProgram(program);
  const library = helmLibrary();
  return library === undefined ? byProgram(helmProgram()) : byLibrary(library);
}

const byLibrary = (folder) => ({
  name: 'Helm 4 as a library (helm-python-sdk)',
  ask(questions) {
    const input = questions.map((question) => `${JSON.stringify(question)}\n`).join('');
    const env = { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
    const { stdout } = run('python3', [new URL('helm.py', import.meta.url).pathname], { input, env });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  },
});

const byProgram = (helm) => ({
  name: `helm ${run(helm, ['version', '--short']).stdout.trim()}`,
  ask(questions) {
    const folder = mkdtempSync(join(tmpdir(), 'chart-'));
    try {
      return questions.map(({ lint, render, values = {} }) => {
        const file = join(folder, 'values.json');
        writeFileSync(file, JSON.stringify(values));
        const args = lint ? ['lint', '--strict', lint] : ['template', 'r', render, '--namespace', 'shop'];
        const { status, stdout, stderr } = run(helm, [...args, ...kubernetes, '--values', file], { check: false });
        return { ok: status === 0, text: status === 0 ? stdout : stdout + stderr };
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
