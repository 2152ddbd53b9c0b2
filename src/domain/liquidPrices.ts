/** What the filters and operators of liquidjs cost: it counts what they produce, and not all that they look at. */
import { CaseTag, type Context, defaultOperators, type Emitter, type Liquid, toValue } from 'liquidjs';
import type { Budget } from './liquidBudget.ts';

type FilterOptions = Parameters<Liquid['registerFilter']>[1];
type Filter = Exclude<FilterOptions, { raw: boolean }>;
type Operators = NonNullable<Liquid['options']['operators']>;

/** They come with the context, typed as what liquidjs would put there. */
export const budgetOf = ({ memoryLimit }: Pick<Context, 'memoryLimit'>): Budget => memoryLimit as unknown as Budget;

/** Filters that evaluate a text as an expression, for each item anew: nothing tells beforehand what that costs. */
const unpriced = ['where_exp', 'reject_exp', 'group_by_exp', 'has_exp', 'find_exp', 'find_index_exp'];
const dates = ['date', 'date_to_xmlschema', 'date_to_rfc822', 'date_to_string', 'date_to_long_string'];
/** They look for a text in a text, which may take the product of their lengths. */
const searches = ['split', 'replace', 'replace_first', 'replace_last', 'remove', 'remove_first', 'remove_last'];
/** They read a field of each item, and may compare it with an argument. */
const reads = ['map', 'where', 'reject', 'group_by', 'has', 'find', 'find_index', 'sum', 'sort', 'sort_natural'];
/** They put lists into lists, from which more follows than what they do. */
const nestings = ['push', 'unshift', 'group_by'];

/** Of any filter, in values that are looked at. */
const basePrice = 10;
const pricePerDate = 200;
const pricePerItem = 10;
const pricePerNested = 10;
const pricePerSearch = 4;

interface Weights {
  value: unknown;
  /** Of the value, and of the arguments. */
  weight: number;
  asked: number;
}

/** Beyond looking at the value and the arguments once. */
function priceOf(name: string, { value, weight, asked }: Weights): number {
  let price = dates.includes(name) ? pricePerDate : basePrice;
  if (searches.includes(name)) price += pricePerSearch * weight * asked;
  if (nestings.includes(name)) price += pricePerNested * (weight + asked);
  if (!reads.includes(name)) return price;
  const items = Array.isArray(value) ? value.length : 1;
  price += items * (pricePerItem + asked);
  return name.startsWith('sort') ? price + weight * Math.ceil(Math.log2(items + 1)) : price;
}

function priced(name: string, handler: Filter): Filter {
  return function (value: unknown, ...args: unknown[]): unknown {
    const budget = budgetOf(this.context);
    const weight = budget.look(value);
    const asked = args.reduce((sum: number, arg) => sum + budget.look(arg), 0);
    budget.work(priceOf(name, { value, weight, asked }));
    return handler.call(this, value, ...args);
  };
}

/** Equality goes into lists, order makes text of them. */
const comparisons = ['==', '!=', '<', '<=', '>', '>=', 'contains'];

export const pricedOperators: Operators = Object.fromEntries(
  Object.entries(defaultOperators).map(([name, operator]) => [
    name,
    comparisons.includes(name)
      ? (left: unknown, right: unknown, context: Context) => {
          const budget = budgetOf(context);
          const weights = [budget.look(left), budget.look(right)] as const;
          if (name === 'contains') budget.work(pricePerSearch * weights[0] * weights[1]);
          return operator(left, right, context);
        }
      : operator,
  ]),
);

/** Compares its value with each of those that follow `when`. */
class PricedCase extends CaseTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const value = toValue(yield this.value.value(context, context.opts.lenientIf));
    const compared = this.branches.reduce((sum, { values }) => sum + values.length, 0);
    const budget = budgetOf(context);
    budget.work(budget.look(value) * compared);
    yield* super.render(context, emitter);
  }
}

/** To be called before filters of our own are registered. */
export function putPrices(liquid: Liquid): void {
  for (const name of unpriced) liquid.unregisterFilter(name);
  for (const [name, filter] of Object.entries(liquid.filters)) {
    if (typeof filter === 'function') liquid.registerFilter(name, priced(name, filter));
    else liquid.registerFilter(name, { ...filter, handler: priced(name, filter.handler) });
  }
  liquid.registerTag('case', PricedCase);
}
