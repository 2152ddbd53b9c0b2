/** Tables, figures and sections of the page. */
import { Markup, markup } from '../page/markup.ts';

export interface Column {
  name: string;
  number?: boolean;
}
export interface Line {
  cells: readonly (string | Markup)[];
  sub?: boolean;
}
export const text = (name: string): Column => ({ name });
export const number = (name: string): Column => ({ name, number: true });

export function table(caption: string, columns: readonly Column[], lines: readonly Line[]): Markup {
  const attributes = (column: Column | undefined): Markup =>
    new Markup(column?.number === true ? ' class="number"' : '');
  return markup`<div class="table"><table${new Markup(columns.length <= 3 ? ' class="narrow"' : '')}>
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => markup`<th scope="col"${attributes(column)}>${column.name}</th>`)}</tr></thead>
<tbody>${lines.map(
    ({ cells: [first = '', ...rest], sub }) =>
      markup`<tr${new Markup(sub === true ? ' class="sub"' : '')}><th scope="row"${attributes(columns[0])}>${first}</th>${rest.map(
        (cell, index) => markup`<td${attributes(columns[index + 1])}>${cell}</td>`,
      )}</tr>\n`,
  )}</tbody>
</table></div>`;
}

/** A chart with what it says in words, and its figures behind it. */
export const figure = (says: string, svg: string, figures: Markup, folded: boolean): Markup =>
  markup`<figure><div class="chart" role="img" aria-label="${says}">${new Markup(svg)}</div>${
    folded ? markup`<details><summary>Figures</summary>${figures}</details>` : figures
  }</figure>`;

export const section = (title: string, note: string | undefined, ...parts: readonly (Markup | undefined)[]): Markup =>
  markup`<section>
<h2>${title}</h2>
${note === undefined ? undefined : markup`<p class="note">${note}</p>`}
${parts}
</section>
`;
