/** HTML in which everything that is put in is escaped, unless it is markup already. */
import { escapeHtml as escapeHtmlText } from '../../domain/html.ts';
import { safe } from '../output.ts';

export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | undefined | readonly Part[];

/** Text that others wrote: no control characters, no bidi overrides, nothing that HTML would read. */
export const escapeHtml = (text: string): string => escapeHtmlText(safe(text.toWellFormed()));

const render = (part: Part): string => {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  return typeof part === 'object' ? part.map(render).join('') : escapeHtml(String(part));
};

export const markup = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(strings.map((text, index) => text + render(parts[index])).join(''));
