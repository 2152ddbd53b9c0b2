#!/usr/bin/env node
// The Helm chart: linted, rendered with five sets of values, held against the schemas of Kubernetes and of the operators, against
// what the program itself reads, and against rules of our own; and what is wrong is refused. `npm run check:chart`
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findEngine } from './chart/engine.mjs';
import { facts, wrong } from './chart/facts.mjs';
import { withValues } from './chart/readme.mjs';
import { find, objects, ruleFaults } from './chart/rules.mjs';
import { kubernetesVersions, schemaLocations } from './chart/schemas.mjs';
import { kubeconform, root, run, say } from './chart/tools.mjs';

const source = join(root, 'helm/communication-base');
const work = mkdtempSync(join(tmpdir(), 'chart-'));
const chart = join(work, 'communication-base');
const faults = [];
const fault = (text) => faults.push(text);
const read = (path) => readFileSync(join(source, path), 'utf8');

/** Where a file for monitoring is not there, its template is tried with the least that it may hold. */
function copyChart() {
  cpSync(source, chart, { recursive: true });
  const rule = { alert: 'Example', expr: 'up == 0', for: '5m', annotations: { summary: '{{ $labels.pod }}' } };
  const standIns = {
    'alerts.yaml': { groups: [{ name: 'example', rules: [rule] }] },
    'dashboard.json': { title: 'Example', panels: [] },
  };
  for (const [file, content] of Object.entries(standIns))
    if (!existsSync(join(chart, 'files', file))) writeFileSync(join(chart, 'files', file), JSON.stringify(content));
}

function checkTexts() {
  const { version, appVersion } = parse(read('Chart.yaml'));
  const { version: ours } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (version !== ours || appVersion !== ours)
    fault(`Chart.yaml says ${version} and ${appVersion}, package.json ${ours}`);
  const wanted = withValues(read('README.md'), join(source, 'values.yaml'));
  if (wanted === read('README.md')) return;
  if (process.argv.includes('--write')) writeFileSync(join(source, 'README.md'), wanted);
  else fault('README.md of the chart does not say what values.yaml does: node scripts/checkChart.mjs --write');
}

/** Manifests with a slip in them, each of which must be caught: a check that takes them proves nothing. */
const slips = [
  ['PodMonitor', 'interval: 15s', 'intervall: 15s'],
  ['PrometheusRule', 'expr:', 'exprr:'],
  ['MongoDBCommunity', 'members: 3', 'members: "three"'],
  ['Deployment', 'containerPort: 8080', 'containerPort: "8080"'],
  ['NetworkPolicy', 'policyTypes:', 'policyType:'],
];

function checkSchemas(texts) {
  const folder = mkdtempSync(join(work, 'manifests-'));
  for (const [name, text] of Object.entries(texts))
    writeFileSync(join(folder, `${name.replaceAll(/\W/g, '-')}.yaml`), text);
  const locations = schemaLocations();
  const ask = (version, ...files) =>
    run(kubeconform(), ['-strict', '-summary', '-kubernetes-version', version, ...locations, ...files], {
      check: false,
    });
  for (const version of kubernetesVersions) {
    const { status, stdout, stderr } = ask(version, folder);
    if (status !== 0) fault(`Kubernetes ${version}: ${stdout}${stderr}`);
    else say(`Kubernetes ${version}: ${stdout.trim()}`);
  }
  const all = Object.values(texts).flatMap((text) => text.split(/^---$/m));
  for (const [kind, from, to] of slips) {
    const good = all.find((text) => text.includes(`kind: ${kind}\n`) && text.includes(from));
    const file = join(work, 'slip.yaml');
    writeFileSync(file, good?.replace(from, to) ?? '');
    if (!good || ask(kubernetesVersions[1], file).status === 0)
      fault(`${kind}: \`${to}\` for \`${from}\` is not noticed`);
  }
}

/** A change of what Pods get from ConfigMap or Secret replaces them; any other does not. */
const restarts = [
  [{}, false],
  [{ replicaCount: 5 }, false],
  [{ config: { logLevel: 'debug' } }, true],
  [{ hashKey: 'another-secret-key' }, true],
];

function check() {
  copyChart();
  checkTexts();
  const sets = readdirSync(join(source, 'ci')).map((file) => [file.replace('.yaml', ''), parse(read(`ci/${file}`))]);
  const [, documented] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/kubernetes.md'), 'utf8'));
  sets.push(['docs/kubernetes.md', parse(documented)]);
  const base = { mongodb: { existingSecret: 'mongodb' }, hashKey: 'a-secret-hash-key' };
  const engine = findEngine();
  const asked = [
    ...sets.flatMap(([, values]) => [
      { lint: chart, values },
      { render: chart, values },
    ]),
    ...wrong.map(([values]) => ({ render: chart, values: { ...base, ...values } })),
    ...[...facts, ...restarts].map(([values]) => ({ render: chart, values: { ...base, ...values } })),
    { lint: chart },
  ];
  const answers = engine.ask(asked);
  const texts = {};
  for (const [name] of sets) {
    const [lint, render] = answers.splice(0, 2);
    if (!lint.ok) fault(`lint --strict, ${name}: ${lint.text}`);
    if (!render.ok) fault(`template, ${name}: ${render.text}`);
    else texts[name] = render.text;
  }
  for (const [values, named] of wrong) {
    const { ok, text } = answers.shift();
    if (ok || !text.includes(named))
      fault(`${JSON.stringify(values)} ${ok ? 'is taken' : `is refused without naming ${named}: ${text}`}`);
  }
  for (const [values, isSo, what] of facts) {
    const { ok, text } = answers.shift();
    if (!ok || !isSo(objects(text))) fault(`${JSON.stringify(values)}: ${ok ? `not so: ${what}` : text}`);
  }
  const annotations = restarts.map(
    () => find(objects(answers.shift().text), 'Deployment').spec.template.metadata.annotations,
  );
  for (const [n, [values, restart]] of restarts.entries())
    if ((JSON.stringify(annotations[n]) !== JSON.stringify(annotations[0])) !== restart)
      fault(`${JSON.stringify(values)} ${restart ? 'replaces no Pod' : 'replaces every Pod'}`);
  const [bare] = answers;
  if (!bare.ok) fault(`lint --strict, no values: ${bare.text}`);
  say(
    `${engine.name}: ${Object.keys(texts).length} sets of values, ${wrong.length} wrong ones refused, ${facts.length} facts`,
  );
  checkSchemas(texts);
  for (const [name, text] of Object.entries(texts))
    faults.push(...ruleFaults(objects(text)).map((what) => `${name}: ${what}`));
}

try {
  check();
} catch (error) {
  fault(error.stack);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const text of faults) process.stderr.write(`${text}\n`);
if (faults.length === 0) say('the chart is as Helm, Kubernetes, the operators and the program want it');
process.exitCode = faults.length === 0 ? 0 : 1;
