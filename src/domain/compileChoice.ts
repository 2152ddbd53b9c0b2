/** Stages `branch` and `split`, compiled as far as they can be: what is wrong goes to the faults. */
import { asText, type Compilation, optionalQuery, optionalTarget, type StagePlace } from './compileParts.ts';
import type { CompiledBranch, CompiledSplit } from './flow.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';

/** The items of a list that are objects, each with its path; whatever else is there is a fault. */
function objectsIn(
  compilation: Compilation,
  source: object,
  field: string,
  at: string,
): { item: object; at: string }[] {
  const list = own(source, field);
  if (!Array.isArray(list) || list.length === 0) {
    compilation.faults.add(
      'stage_invalid',
      `${at}.${field}`,
      () => `has to be a list, not empty, was ${printable(list)}`,
    );
    return [];
  }
  return list.flatMap((item: unknown, index) => {
    const place = `${at}.${field}[${index}]`;
    if (isPlain(item)) return [{ item, at: place }];
    compilation.faults.add('stage_invalid', place, () => 'is not an object');
    return [];
  });
}

export function compileBranch(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledBranch {
  const branches = objectsIn(compilation, source, 'branches', at).map((branch, index, all) => {
    const goto = asText(own(branch.item, 'goto')) ?? '';
    if (goto === '') compilation.faults.add('stage_invalid', `${branch.at}.goto`, () => 'is not the id of a stage');
    const query = optionalQuery(compilation, branch.item, branch.at);
    if (own(branch.item, 'when') === undefined && index < all.length - 1)
      compilation.faults.add(
        'stage_invalid',
        `${branch.at}.when`,
        () => 'is missing; only the last branch may do without',
      );
    return { ...query, goto };
  });
  return { type: 'branch', ...place, branches };
}

export function compileSplit(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledSplit {
  const names = new Set<string>();
  const variants = objectsIn(compilation, source, 'variants', at).map(({ item, at: path }) => {
    const variant = asText(own(item, 'variant')) ?? '';
    const weight = own(item, 'weight');
    if (variant === '') compilation.faults.add('stage_invalid', `${path}.variant`, () => 'is not a name');
    else if (names.has(variant))
      compilation.faults.add('stage_invalid', `${path}.variant`, () => `${JSON.stringify(variant)} is there twice`);
    names.add(variant);
    const isWeight = typeof weight === 'number' && Number.isFinite(weight) && weight >= 0;
    if (!isWeight)
      compilation.faults.add(
        'stage_invalid',
        `${path}.weight`,
        () => `has to be a number, 0 or more, was ${printable(weight)}`,
      );
    return { variant, weight: isWeight ? weight : 0, ...optionalTarget(compilation, item, 'goto', path) };
  });
  if (variants.length > 0 && !variants.some(({ weight }) => weight > 0))
    compilation.faults.add('stage_invalid', `${at}.variants`, () => 'have no weight: nobody would be drawn');
  return { type: 'split', ...place, variants };
}
