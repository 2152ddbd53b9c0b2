/** What the environment says, judged. Pure. */
import type { Config } from '../../config.ts';
import { plural } from '../output.ts';
import { failure, ok, type Result, type Verdict, warning } from './verdict.ts';

const result = (check: string, verdict: Verdict): Result => ({ group: 'settings', check, ...verdict });

/** A fault is one line: the variable, what it was, and what is allowed, needed, or to be removed. */
function ofFault(fault: string): Result {
  const variable = /^[A-Z][A-Z0-9_]*/.exec(fault)?.[0] ?? 'environment';
  const at = fault.lastIndexOf('allowed: ');
  const head = at < 0 ? fault : fault.slice(0, at);
  const meant = /did you mean [^?]*\?/.exec(head)?.[0];
  const [, reason = head, needs] = /^(.*?); (?:driver \S+ needs (.*))$/s.exec(head) ?? [];
  const found = reason
    .replace(meant ?? '', '')
    .replace(/: remove it$/, '')
    .replace(/[;:\s]+$/, '');
  const mend = [
    ...(meant === undefined ? [] : [meant]),
    ...(at < 0 ? [] : [`set it to what is allowed: ${fault.slice(at + 'allowed: '.length)}`]),
    ...(needs === undefined ? [] : [`set ${variable} to ${needs}`]),
  ];
  return result(variable, failure(found, ...(mend.length > 0 ? mend : [`remove ${variable} from the environment`])));
}

const ofWarning = (text: string): Result => {
  const variable = /^[A-Z][A-Z0-9_]*/.exec(text)?.[0] ?? 'environment';
  const [, found = text, mend] = /^(.*?): (.*)$/s.exec(text) ?? [];
  return result(variable, warning(found, mend ?? `correct ${variable}, or remove it`));
};

/** Not everybody gets what is sent over these. */
function testStages({ channels }: Config): Result[] {
  return channels.flatMap(({ name, redirect, allow }) => {
    const at = (setting: string): string => `CHANNEL_${name.toUpperCase()}_${setting}`;
    const say = (setting: string, found: string): Result =>
      result(
        at(setting),
        warning(`channel ${name} is set up for a test stage: ${found}`, `remove ${at(setting)} before going live`),
      );
    return [
      ...(redirect === undefined ? [] : [say('REDIRECT', 'everything goes to one recipient')]),
      ...(allow === undefined ? [] : [say('ALLOW', `only ${allow.length} recipients get anything`)]),
    ];
  });
}

/** All faults at once, then what is probably not meant. */
export function judgeSettings(config: Config, faults: readonly string[]): Result[] {
  const isDoubtful = (text: string): boolean =>
    // what does not fit a driver says nothing while the driver itself is wrong
    faults.some((fault) => fault.includes('_DRIVER ') && text.startsWith(fault.split('DRIVER ')[0] ?? ''));
  const warnings = (config.warnings ?? []).filter((text) => !isDoubtful(text));
  const found = [...faults.map(ofFault), ...warnings.map(ofWarning), ...testStages(config)];
  if (config.channels.length === 0 && faults.length === 0)
    found.push(
      result(
        'channels',
        warning(
          'no channel is configured: every campaign that sends will be refused',
          'set CHANNEL_<NAME>_DRIVER and what it needs; CHANNEL_EMAIL_DRIVER=console prints instead of sending',
        ),
      ),
    );
  if (faults.length > 0) return found;
  const set = Object.keys(config.sources ?? {}).length;
  return [...found, result('environment', ok(`${plural(set, 'variable')} set, with no fault`))];
}
