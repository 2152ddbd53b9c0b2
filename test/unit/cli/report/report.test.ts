import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bar, showBlock, wrap } from '../../../../src/cli/blocks.ts';
import { visibleLength } from '../../../../src/cli/output.ts';
import { escapeHtml, Markup, markup } from '../../../../src/cli/page/markup.ts';
import { reportPage } from '../../../../src/cli/report/reportHtml.ts';
import { showReport } from '../../../../src/cli/report/reportText.ts';
import {
  binWords,
  headline,
  periodWords,
  readingWords,
  short,
  statusWords,
} from '../../../../src/cli/report/reportWords.ts';
import type { Report } from '../../../../src/domain/report.ts';
import { evil, hostile, later, spring } from '../../domain/reports.ts';
import { context, run } from '../host.ts';

const golden = `
spring  Spring launch  completed
2026-01-05 09:00:00 UTC to 2026-01-05 11:00:00 UTC, 2 h 0 min, 5 min of it in 1
pause
20 contacts entered; 2 left out: the contact is in the campaign already
30 messages sent; 25.0 % of 20 contacts replied; half of the first tries left
within 15 ms of being due.

Conversations
status, outcome                                            count   share
completed        ████████████████████████████████████         18  90.0 %
  no_answer                                                   13  65.0 %
  replied                                                      5  25.0 %
failed           ████                                          2  10.0 %
total                                                         20

Stages
stage                             entered  sent  follow-ups  replied  of entered
intro  █████████████████████████       20    30          12        5      25.0 %
quiet  ████████████████▎               13     –           –        0

Messages
                               count
sent                              30
  of them follow-ups              12
failed                             2
skipped                            3
sent, of all that were tried  93.8 %

Over time  per 5 minutes, UTC, 2026-01-05
from                                             sent  follow-ups  first replies
09:00  ████████████████████████████████████████    18           0              5
09:05                                               0           0              0
09:10                                               0           0              0
09:15                                               0           0              0
09:20                                               0           0              0
09:25                                               0           0              0
09:30                                               0           0              0
09:35                                               0           0              0
09:40                                               0           0              0
09:45                                               0           0              0
09:50                                               0           0              0
09:55                                               0           0              0
10:00  ██████████████████████████▋                 12          12              0

Due to sent  without pauses
                  messages  half within       90 %       99 %    longest
first try               26        15 ms     800 ms     800 ms     800 ms
after more tries         4    1 min 5 s  1 min 5 s  1 min 5 s  1 min 5 s

Due to sent, messages sent at the first try
time                                                        count
10 ms to 20 ms    ████████████████████████████████████████     20
20 ms to 50 ms                                                  0
50 ms to 100 ms                                                 0
100 ms to 200 ms                                                0
200 ms to 500 ms                                                0
500 ms to 1 s     ████████████                                  6

Not sent
status   messages  why
skipped         3  the contact has no address on that channel (address_missing)
failed          2  the provider refused it for good (provider_rejected)

Errors  messages by the last one of each
code      not sent  waiting  sent later  conversations
http_550         2        0           0              0
http_503         0        0           4              0

Replies  from the message before it to the first reply
         contacts  half within    90 %    99 %  longest
replied         5   1 min 30 s  50 min  50 min   50 min

Message to first reply
time                                                        count
1 min to 2 min    ████████████████████████████████████████      3
2 min to 5 min                                                  0
5 min to 10 min                                                 0
10 min to 30 min                                                0
30 min to 1 h     ██████████████████████████▋                   2

all figures are of one moment, 2026-01-05 11:13:20 UTC; 20 figures counted from
the documents equal the counters
`.slice(1);

const shown = (
  report: Report,
  options: { tty?: boolean; columns?: number; env?: Record<string, string> } = {},
): string => {
  const { tty = false, columns = 80, env = { NO_COLOR: '1' } } = options;
  const { out, stdout } = context(env, { tty });
  stdout.columns = columns;
  showReport(report, out);
  return stdout.text;
};
const withCampaign = (more: Partial<Report['campaign']>, rest: Partial<Report> = {}): Report => {
  const report = spring();
  return { ...report, ...rest, campaign: { ...report.campaign, ...more } };
};
/** A campaign that never started: nothing of it was counted. */
const unstarted = (more: Partial<Report['campaign']>): Report => {
  const { startedAt: _, completedAt: __, ...campaign } = spring().campaign;
  const { conversations, ...report } = spring();
  return { ...report, campaign: { ...campaign, ...more }, conversations: { ...conversations, total: 0 } };
};

describe('at a terminal', () => {
  test('of 80 columns it reads like this', () => {
    expect(shown(spring(), { tty: true })).toBe(golden);
  });

  test.each([80, 200])('of %d columns no line of figures is longer, whatever the names', (columns) => {
    for (const report of [spring(), hostile()])
      for (const line of shown(report, { tty: true, columns }).split('\n').slice(12))
        expect(visibleLength(line)).toBeLessThanOrEqual(columns);
  });

  test('colours only there, and nothing of others reaches the terminal as control characters', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    const controls = /[\u0000-\u0009\u000b-\u001f\u202e]/;
    expect(shown(spring(), { tty: true, env: {} })).toMatch(controls);
    for (const tty of [true, false]) expect(shown(hostile(), { tty })).not.toMatch(controls);
    expect(shown(spring(), { env: {} })).not.toMatch(controls);
  });
});

test('in a pipe there are plain columns and no bars', () => {
  const text = shown(spring());
  expect(text).not.toMatch(/[█▏▎▍▌▋▊▉]/);
  expect(text).toContain(
    'Stages\nstage  entered  sent  follow-ups  replied  of entered\nintro       20    30          12        5      25.0 %\n',
  );
});

describe('in words', () => {
  test.each([
    [
      unstarted({ status: 'failed', error: { code: 'a', message: 'b' } }),
      'It did not start: it is not valid as it was written.',
    ],
    [
      unstarted({ status: 'scheduled', startAt: later(0) }),
      'It has not started; it starts at 2026-01-05 09:00:00 UTC.',
    ],
    [unstarted({ status: 'draft' }), 'It has not started: nothing was sent.'],
    [unstarted({ status: 'paused', error: { code: 'a', message: 'b' } }), 'It did not start: nothing was sent.'],
    [
      withCampaign({}, { conversations: { ...spring().conversations, total: 0 } }),
      'Nobody was written to: no contact entered it.',
    ],
    [
      withCampaign({}, { conversations: { ...spring().conversations, replied: 0 }, latency: { unknown: 0 } }),
      '30 messages sent; none of 20 contacts has replied.',
    ],
    [
      spring(),
      '30 messages sent; 25.0 % of 20 contacts replied; half of the first tries left within 15 ms of being due.',
    ],
  ])('the whole (%#)', (report, words) => {
    expect(headline(report)).toBe(words);
  });

  test.each([
    [{ status: 'completed', endReason: 'campaign_ended' }, 'completed at its end (endAt)'],
    [{ status: 'paused', pausedReason: 'collection_missing' }, 'paused by the service (collection_missing)'],
    [{ status: 'deleted', runStatus: 'completed' }, 'completed, then deleted'],
    [{ status: 'deleted', runStatus: 'cancelled' }, 'deleted'],
    [{ status: 'running' }, 'running'],
  ])('%j is %s', (campaign, words) => {
    expect(statusWords(withCampaign(campaign))).toBe(words);
  });

  test('that only the newest pauses are known', () => {
    const duration = { totalMs: 7_200_000, pausedMs: 300_000, pauses: 100, olderPauses: true } as const;
    expect(periodWords({ ...spring(), duration })).toMatch(
      /2 h 0 min, at least 5 min of it in 100 pauses \(older ones are not kept\)$/,
    );
  });

  test('a fault, why it is paused, and what the counters say otherwise are told', () => {
    const error = { code: 'not_allowed', message: 'was 12', path: 'priority' };
    expect(shown(unstarted({ status: 'failed', error }))).toContain('not_allowed at priority: was 12\n');
    const differences = Array.from({ length: 7 }, (_, n) => ({ figure: `f${n}`, counted: n, told: 1000 }));
    const text = shown({ ...spring(), checked: { figures: 20, differences } });
    expect(text).toContain('f1: 1 counted, the counters say 1,000; ');
    expect(text).toContain('; and 2 more');
    expect(text).not.toContain('equal the counters');
  });

  test.each([
    ['snapshot', 'all figures are of one moment'],
    ['ended', 'the campaign had ended when it was read'],
    ['parts', 'sums may differ a little'],
  ] as const)('how it was read: %s', (consistency, words) => {
    expect(readingWords({ ...spring(), consistency })).toContain(words);
  });

  test('bins', () => {
    expect(binWords({ fromMs: 0, toMs: 10 })).toBe('under 10 ms');
    expect(binWords({ fromMs: 1000, toMs: 60_000 })).toBe('1 s to 1 min');
    expect(binWords({ fromMs: 86_400_000 * 30 })).toBe('30 d and more');
    expect(short(0)).toBe('0 ms');
  });
});

describe('bars and lines', () => {
  test('a bar is as long as its share, and what there is at all is seen', () => {
    expect([0, 0.0001, 0.5, 0.55, 1, 7, -1].map((share) => bar(share, 4))).toEqual([
      '',
      '▏',
      '██',
      '██▎',
      '████',
      '████',
      '',
    ]);
  });

  test('wrapping loses no word and keeps to the width where words do', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', 'b') })), (words) => {
        const lines = wrap(words.join(' '), 12);
        expect(lines.join(' ')).toBe(words.join(' '));
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(12);
      }),
    );
  });

  test('a block without rows is not there', () => {
    const { out, stdout } = context({}, { tty: true });
    showBlock({ title: 'None', head: ['a'], rows: [] }, out);
    expect(stdout.text).toBe('');
  });
});

describe('the page', () => {
  const policyOf = (page: string): string => /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? '';

  test('stands alone: nothing from elsewhere, no script, and a policy that lets in its own style sheet only', async () => {
    const page = await reportPage(spring());
    const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policyOf(page)).toBe(`default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`);
    expect(page).not.toMatch(
      /<script|<link|<img|<iframe|<object|<base|@import|@font-face|javascript:|\son\w+=|\sstyle=/i,
    );
    const addresses = (page.match(/\b(?:https?:)?\/\/[^"\s]+/g) ?? []).filter(
      (one) => !one.startsWith('http://www.w3.org/'),
    );
    expect(addresses).toEqual([]);
    expect(page.match(/url\((?!#)/g)).toBeNull();
  });

  test('what others wrote is text in it, wherever it stands', async () => {
    const page = await reportPage(hostile());
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<img');
    expect(page.match(/<title>/g)).toHaveLength(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    expect(page).not.toMatch(/[\u001b\u202e]/);
    expect(page.split('&lt;script&gt;').length).toBeGreaterThan(12);
    expect(isWellFormed(page)).toBe(true);
  });

  test('has its figures, a chart with words for each, and every section in a heading', async () => {
    const page = await reportPage(spring());
    const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
    for (const words of [
      'Spring launch',
      '25.0 %',
      'no_answer 13',
      'http_503 0 0 4 0',
      '65.0 s',
      'by communication-base 1.2.3',
    ])
      expect(text).toContain(words === '65.0 s' ? '1 min 5 s' : words);
    const charts = page.match(/<svg /g) ?? [];
    expect(charts.length).toBeGreaterThanOrEqual(7);
    expect(page.match(/<svg aria-hidden="true"/g)).toHaveLength(charts.length);
    expect(page.match(/role="img" aria-label="[^"]{20,}"/g)).toHaveLength(6);
    expect(page.match(/<table/g)?.length).toBeGreaterThanOrEqual(9);
    expect(isWellFormed(page)).toBe(true);
  });

  test('of a campaign that never started there are no empty charts', async () => {
    const page = await reportPage(unstarted({ status: 'failed', error: { code: 'not_allowed', message: 'was 12' } }));
    expect(page).toContain('Not_allowed: was 12');
    expect(page).not.toContain('<svg');
    expect(page).not.toContain('<section');
  });

  test('where nobody came to any stage there is the table and no chart of them', async () => {
    const report = spring();
    const funnel = report.funnel.map((line) => ({ ...line, entered: 0, sent: 0, replied: 0 }));
    const page = await reportPage({ ...report, funnel });
    expect(page).toContain('Stages in the order of the flow');
    expect(page).not.toContain('aria-label="By stage');
  });

  test('markup escapes what is put in, and only that', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { text: made } = markup`<p title="${text}">${[text, 1, undefined]}</p>`;
        expect(made.startsWith('<p title="')).toBe(true);
        expect(made.slice(10, -4)).not.toMatch(/[<>'].*[<>'].*[<>']/s);
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
    expect(markup`<b>${new Markup('<i>')}</b>`.text).toBe('<b><i></b>');
    expect(evil).toContain('<script>');
  });
});

/** Every element is closed in its order, as an XML reader would have it; void elements aside. */
function isWellFormed(page: string): boolean {
  const open: string[] = [];
  for (const [, slash, name = '', rest = ''] of page
    .replace(/<!doctype html>|<style>[\s\S]*?<\/style>/g, '')
    .matchAll(/<(\/?)([a-z][\w-]*)([^<>]*)>/gi)) {
    if (name === 'meta' || rest.endsWith('/')) continue;
    if (slash !== '/') open.push(name);
    else if (open.pop() !== name) return false;
  }
  return open.length === 0;
}

test.each([
  [['report', 'x', '--html', '-', '--json'], 'both write to stdout'],
  [['report', 'x', '--html', ''], '--html is ""'],
  [['report', 'x', '--html', '/nowhere/at/all.html'], 'there is no such directory'],
])('%j is wrong use', async (argv, why) => {
  const ran = await run(argv, { MONGODB_URI: 'mongodb://127.0.0.1:1/?replicaSet=rs0' });
  expect(ran.code).toBe(2);
  expect(ran.stdout + ran.stderr).toContain(why);
});
