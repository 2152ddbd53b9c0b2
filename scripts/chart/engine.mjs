// Helm without a cluster: `lint --strict` and `template`, by the program where there is one, else by its engine as a library.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstOf, wheels } from '../fetched.mjs';
import { helmByGo, helmLibrary, helmOnPath, run } from './tools.mjs';

const kubernetes = ['--kube-version', '1.31.0'];

/**
 * Answers to `[{ lint: chart, values }, { render: chart, values }]`, in order: `{ ok, text }`; text is the manifests, or what is wrong.
 * @returns {{ name: string, ask(questions: object[]): { ok: boolean, text: string }[] }}
 */
export const findEngine = () =>
  firstOf('Helm', [
    ['helm on PATH', () => proven(byProgram(helmOnPath()))],
    [`${wheels.helm.name} by pip`, () => proven(byLibrary(helmLibrary()))],
    ['Helm built by Go', () => proven(byProgram(helmByGo()))],
  ]);

/** The engine, if it lints and renders a chart of one value. */
function proven(engine) {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  try {
    mkdirSync(join(folder, 'try/templates'), { recursive: true });
    const chart = 'apiVersion: v2\nname: try\nversion: 1.0.0\nicon: https://example.com/icon.png\n';
    writeFileSync(join(folder, 'try/Chart.yaml'), chart);
    const map =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: try }\ndata: { word: {{ .Values.word | quote }} }\n';
    writeFileSync(join(folder, 'try/templates/map.yaml'), map);
    const [path, values] = [join(folder, 'try'), { word: 'as said' }];
    const [lint, render] = engine.ask([
      { lint: path, values },
      { render: path, values },
    ]);
    if (lint?.ok && render?.ok && render.text.includes('"as said"')) return engine;
    throw new Error(`${engine.name} does not work: ${lint?.text} ${render?.text}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
