// A real Prometheus over given targets, with our rules on a shorter scale of time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const rulesFile = new URL('../helm/communication-base/files/alerts.yaml', import.meta.url);
const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Every `for`, every range and every threshold in seconds divided by `factor`; shares and counts stay. */
export function scaled(text, factor) {
  const shorter = (number, unit) => `${Math.max(1, Math.round((number * unitMs[unit]) / factor))}ms`;
  const less = (seconds) => String(Number(seconds) / factor);
  return text
    .replaceAll(/\bfor: (\d+)([smh])/g, (_, number, unit) => `for: ${shorter(number, unit)}`)
    .replaceAll(/\[(\d+)([smh])(?::(\d+)([smh]))?\]/g, (_, number, unit, step, stepUnit) =>
      step === undefined ? `[${shorter(number, unit)}]` : `[${shorter(number, unit)}:${shorter(step, stepUnit)}]`,
    )
    .replaceAll(/offset (\d+)([smh])/g, (_, number, unit) => `offset ${shorter(number, unit)}`)
    .replaceAll(/le=~"(\d+)\(\[[.]\]0\)\?"/g, (_, seconds) => `le="${less(seconds)}"`)
    .replaceAll(/(_lag(?:_with_room)?_seconds\)? > )(\d+)/g, (_, before, seconds) => before + less(seconds))
    .replaceAll(/(process_start_time_seconds < )(\d+)/g, (_, before, seconds) => before + less(seconds))
    .replaceAll(/(_age_seconds\) < )(\d+)/g, (_, before, seconds) => before + less(seconds));
}

/** An installation: the rules go by neither name. */
const labels = { namespace: 'shop' };
const job = 'campaigns';

/** Scrapes and evaluates each second. `targets`: host:port. Needs `prometheus` in PATH. */
export async function startPrometheus({ targets, factor, port }) {
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-prometheus-'));
  await writeFile(join(folder, 'rules.yaml'), scaled(await readFile(rulesFile, 'utf8'), factor));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [join(folder, 'rules.yaml')],
    scrape_configs: [{ job_name: job, static_configs: [{ targets, labels }] }],
  };
  // JSON is YAML
  await writeFile(join(folder, 'prometheus.yaml'), JSON.stringify(config));
  const args = [
    ...[`--config.file=${join(folder, 'prometheus.yaml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
  ];
  const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = once(child, 'exit');
  process.once('exit', () => child.kill('SIGKILL'));
  const get = async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null) throw new Error('prometheus ended at once');
    if (await get('/api/v1/rules').catch(() => undefined)) break;
    if (tries > 100) throw new Error('prometheus does not answer');
    await sleep(100);
  }
  return {
    /** Alerts that fire now; `since` (ms): when what they ask for came true. */
    firing: async () =>
      (await get('/api/v1/alerts')).alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels, activeAt }) => ({ name: labels.alertname, since: Date.parse(activeAt) })),
    query: async (expr) => (await get(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result,
    targets: async () => (await get('/api/v1/targets')).activeTargets,
    rules: async () => (await get('/api/v1/rules')).groups.flatMap((group) => group.rules),
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
