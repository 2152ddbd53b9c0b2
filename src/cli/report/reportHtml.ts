/** A report as one page that needs nothing but itself: no script, no font, no picture from elsewhere. */
import { createHash } from 'node:crypto';
import type { Report } from '../../domain/report.ts';
import { showId } from '../database.ts';
import { type Markup, markup } from '../page/markup.ts';
import { page } from '../page/page.ts';
import { style } from '../page/style.ts';
import { sections } from './reportSections.ts';
import * as words from './reportWords.ts';

const { capital } = words;

/** The whole document. */
export async function reportPage(report: Report): Promise<string> {
  const { id, name } = report.campaign;
  const title = name ?? showId(id);
  const hash = createHash('sha256').update(style).digest('base64');
  return page({
    title: `${title} – campaign report`,
    ...{ style, policy: `style-src 'sha256-${hash}'` },
    body: [head(report), ...(await sections(report)), foot(report)],
  });
}

function head(report: Report): Markup {
  const { id, name, tenant, status } = report.campaign;
  const known = ['completed', 'failed', 'paused', 'cancelled', 'deleted'].find((one) => one === status) ?? '';
  const ids = [`Campaign ${showId(id)}`, ...(tenant === undefined ? [] : [tenant])].join(' · ');
  const lines = [words.periodWords(report), words.audienceWords(report)].filter((line) => line !== undefined);
  return markup`<header>
<p class="eyebrow"><bdi>${ids}</bdi></p>
<h1><bdi>${name ?? showId(id)}</bdi> <span class="status ${known}">${words.statusWords(report)}</span></h1>
${lines.map((line) => markup`<p class="meta">${capital(line)}.</p>`)}
<p class="lead">${words.headline(report)}</p>
${[words.problemWords(report), words.differenceWords(report)].map((problem) =>
  problem === undefined ? undefined : markup`<p class="alert" role="note">${capital(problem)}</p>`,
)}
</header>
`;
}

function foot(report: Report): Markup {
  return markup`<footer>
<p>${capital(words.readingWords(report))}. All times are UTC. Generated ${words.instant(report.generatedAt)} by communication-base ${report.version}.</p>
</footer>`;
}
