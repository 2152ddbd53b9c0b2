// Real workers over a real MongoDB, stopped one after the other under load, with the times that the chart gives them.
import { join } from 'node:path';
import { objects, rollingNumbers } from './rules.mjs';
import { helmProgram, run, say } from './tools.mjs';

/** The report of `chaos/scenarios.mjs rolling`. */
export function rollingRestart(chart) {
  const values = ['--kube-version', '1.31.0', '--values', join(chart, 'ci/production.yaml')];
  const numbers = rollingNumbers(objects(run(helmProgram(), ['template', 'campaigns', chart, ...values]).stdout));
  say(`rolling restart with ${JSON.stringify(numbers)}`);
  const { shutdownGraceMs, leaseTtlMs, preStopSeconds, terminationGracePeriodSeconds } = numbers;
  const times = {
    'shutdown-grace-ms': shutdownGraceMs,
    'lease-ttl-ms': leaseTtlMs,
    'kill-after-ms': (terminationGracePeriodSeconds - preStopSeconds) * 1000,
  };
  const flags = Object.entries(times).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const { stdout, stderr } = run(process.execPath, ['chaos/scenarios.mjs', 'rolling', ...flags], { check: false });
  if (!stdout.startsWith('{')) throw new Error(stderr);
  const report = JSON.parse(stdout);
  say(JSON.stringify({ exitMs: report.exitMs, messages: report.messages, good: report.good }));
  return report;
}
