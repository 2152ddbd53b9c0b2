/** The rules of a flow: what an event does before the stage it meets is asked. */
import { asText, type Compilation, optionalQuery, optionalTarget } from './compileParts.ts';
import type { CompiledRule } from './flow.ts';
import { listed } from './flowChecks.ts';
import type { RuleAction } from './model.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';

const actions = ['goto', 'end', 'escalate', 'suppress'] as const;

export function compileRules(compilation: Compilation, source: unknown, path: string): CompiledRule[] {
  if (source === undefined) return [];
  if (!Array.isArray(source)) {
    compilation.faults.add('rule_invalid', path, () => `has to be a list, was ${printable(source)}`);
    return [];
  }
  return source.flatMap((rule: unknown, index) => {
    const at = `${path}[${index}]`;
    if (isPlain(rule)) return [compileRule(compilation, rule, at)];
    compilation.faults.add('rule_invalid', at, () => 'is not an object');
    return [];
  });
}

function compileRule(compilation: Compilation, source: object, at: string): CompiledRule {
  const on = asText(own(source, 'on')) ?? '';
  if (on === '') compilation.faults.add('rule_invalid', `${at}.on`, () => 'is not the type of an event');
  const then = own(source, 'then');
  return {
    on,
    ...optionalQuery(compilation, source, at),
    action: isPlain(then) ? compileAction(compilation, then, `${at}.then`) : noAction(compilation, `${at}.then`, then),
  };
}

function noAction({ faults }: Compilation, path: string, was: unknown): RuleAction {
  faults.add('rule_invalid', path, () => `has to be an object with one of ${listed(actions)}, was ${printable(was)}`);
  return {};
}

function compileAction(compilation: Compilation, source: Record<string, unknown>, at: string): RuleAction {
  const given = actions.filter((action) => own(source, action) !== undefined);
  if (given.length !== 1) return noAction(compilation, at, source);
  const wrong = (field: string, what: string): RuleAction => {
    compilation.faults.add('rule_invalid', `${at}.${field}`, () => what);
    return {};
  };
  if (given[0] === 'goto') return optionalTarget(compilation, source, 'goto', at);
  const value = own(source, String(given[0]));
  if (given[0] === 'end') return typeof value === 'string' ? { end: value } : wrong('end', 'is not a word');
  if (given[0] === 'suppress') return value === true ? { suppress: true } : wrong('suppress', 'has to be true');
  if (!isPlain(value)) return wrong('escalate', 'is not an object');
  const to = asText(own(value, 'to'));
  const reason = asText(own(value, 'reason'));
  if (to === undefined || to === '') return wrong('escalate.to', 'is missing: say who takes over');
  return { escalate: { to, ...(reason === undefined ? {} : { reason }) } };
}
