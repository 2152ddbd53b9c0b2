/** `validate` with its warnings, `preview` and `simulate`, without a database. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Ran, run } from '../host.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tryout-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const env = { CHANNEL_EMAIL_DRIVER: 'console', CHANNEL_SMS_DRIVER: 'console' };
const hello = {
  ...{ id: 'hello', type: 'message', channel: 'email' },
  content: { subject: 'Hi {{ contact.name }}', text: 'Hello from {{ contact.attributes.city }}' },
};
const more = {
  id: 'more',
  type: 'message',
  channel: 'sms',
  delay: 'P7D',
  content: { text: 'Still there, {{ contact.name }}?' },
};
const campaign = (over: object = {}) => ({
  ...{ _id: 'spring', status: 'pending', unsubscribe: { mailto: 'stop@example.com' }, flow: { stages: [hello, more] } },
  ...over,
});
const csv = [
  'id,email,phone,name,attributes.city',
  '1,ada@example.com,+491,Ada,Köln',
  '2,bob@example.com,+492,Bob,',
  '3,,+493,Cleo,Bonn',
].join('\n');
const inline = {
  contacts: [{ id: 'ada', name: 'Ada', email: 'ada@example.com', phone: '+491', attributes: { city: 'Köln' } }],
};
const lines = (ran: Ran): Record<string, unknown>[] =>
  ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('validate', () => {
  test('warns of what is no fault, each with its line, and stays valid', async () => {
    const path = await file(
      'warned.yaml',
      [
        '_id: spring',
        'status: pending',
        'unsubscribe: { mailto: stop@example.com }',
        'flow:',
        '  stages:',
        '    - { id: hello, type: message, channel: email, content: { subject: Hi, text: "{{ contact.attributes.city }}" } }',
        '    - { id: over, type: end, outcome: done }',
        '    - { id: lost, type: wait, for: P1D }',
      ].join('\n'),
    );
    const contacts = await file('warned.csv', csv);
    const ran = await run(['validate', path, '--contacts', contacts], env);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain(`${path}:8:7 flow.stages[2]: no stage leads to "lost"`);
    expect(ran.stdout).toContain('1 of 3 contacts lack contact.attributes.city');
    expect(ran.stdout).toContain('first: id 2 at line 3');
    expect(ran.stdout).toContain('1 of 3 contacts lack email');
    expect(ran.stdout).toContain(`${path} is valid`);
    const strict = await run(['--json', 'validate', path, '--contacts', contacts, '--strict'], env);
    expect(strict).toMatchObject({ code: 1 });
    expect(strict.json()).toMatchObject({ valid: false, faults: [] });
    expect(strict.json()['warnings']).toMatchObject([
      { code: 'stage_unreachable', line: 8 },
      { code: 'template_variable_missing', line: 6, path: 'flow.stages[0].content.text' },
      { code: 'address_missing', line: 6 },
    ]);
  });

  test('looks at contacts in the campaign, whatever else is wrong with it', async () => {
    const contacts = [
      ...inline.contacts,
      { id: 2, email: 'b@example.com', attributes: { city: 'X' } },
      { name: 'no id' },
    ];
    const path = await file('inline.json', campaign({ priority: 99, audience: { contacts } }));
    const found = (await run(['--json', 'validate', path], env)).json();
    expect(found).toMatchObject({ faults: [{ path: 'priority' }] });
    expect(JSON.stringify(found['warnings'])).toContain('1 of 2 contacts lack contact.name');
    expect(JSON.stringify(found['warnings'])).toContain('at audience.contacts[1]');
  });

  test('says that an audience may come from another file', async () => {
    const ran = await run(['validate', await file('no-audience.json', campaign())], env);
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('or give --contacts FILE') });
  });
});

describe('preview', () => {
  test('shows what one contact gets, as it would leave', async () => {
    const path = await file('preview.json', campaign());
    const ran = await run(['preview', path, '--contacts', await file('p.csv', csv), '--contact', '1'], env);
    expect(ran.code).toBe(0);
    for (const part of [
      'Subject: Hi Ada',
      'Hello from Köln',
      'List-Unsubscribe: <mailto:stop@example.com>',
      'ada@example.com',
    ])
      expect(ran.stdout).toContain(part);
    expect(ran.stdout).toContain('1 SMS: 17 of 160 characters in GSM-7');
  });

  test('marks what is missing, says what fails, and ends with 1', async () => {
    const path = await file('preview.json', campaign());
    const argv = ['preview', path, '--contacts', await file('p.csv', csv), '--contact'];
    const ran = await run([...argv, '2'], env);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('Hello from ⟦contact.attributes.city⟧');
    expect(ran.stdout).toContain('template_variable_missing');
    const skipped = (await run(['--json', ...argv, '3', '--stage', 'hello'], env)).json();
    expect(skipped).toMatchObject({ messages: [{ stage: 'hello', address: 'email' }] });
    expect(JSON.stringify(skipped)).not.toContain('"to"');
    expect(await run([...argv, '9'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('among 3 that can be used'),
    });
  });

  test('of one message, in a language, of the first contact', async () => {
    const content = { text: 'Hi', locales: { de: { text: 'Hallo {{ contact.attributes.x }}' } } };
    const stages = [{ ...more, content, followUps: [{ after: 'P1D', content: { text: '“Hi”' } }] }];
    const path = await file('locale.json', campaign({ audience: inline, flow: { stages } }));
    const german = await run(['--json', 'preview', path, '--locale', 'de-AT', '--step', '0'], env);
    expect(german).toMatchObject({ code: 1 });
    expect(german.json()).toMatchObject({
      messages: [{ step: 0, missing: ['contact.attributes.x'], content: { text: 'Hallo ⟦contact.attributes.x⟧' } }],
    });
    const second = (await run(['--json', 'preview', path, '--step', '1'], env)).json();
    expect(second).toMatchObject({ messages: [{ step: 1, sms: { encoding: 'UCS-2', foreign: ['“', '”'] } }] });
    expect(await run(['preview', path, '--step', '7'], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('more, more 1'),
    });
  });

  test('needs no settings of a worker, and refuses what has faults', async () => {
    const path = await file('free.json', campaign({ audience: inline }));
    expect(await run(['preview', path])).toMatchObject({ code: 0, stderr: expect.stringContaining('taken by name') });
    const stages = [{ ...hello, content: { text: '{{ oops' } }];
    const faulty = await run(
      ['preview', await file('faulty.json', campaign({ audience: inline, flow: { stages } }))],
      env,
    );
    expect(faulty).toMatchObject({ code: 1, stdout: expect.stringContaining('nothing to preview') });
    expect(await run(['preview', await file('none.json', campaign())], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--contacts FILE'),
    });
  });

  test('as a page: what others wrote stands in frames that can do nothing', async () => {
    const html =
      '<p onclick="evil()">Hi {{ contact.name }} <script>evil()</script><img src="https://t.example/p.gif"></p>';
    const stages = [
      { ...hello, content: { subject: '<b>{{ contact.attributes.none }}', html, body: { a: ['</pre><script>'] } } },
    ];
    const path = await file('page.json', campaign({ audience: inline, flow: { stages } }));
    const out = join(folder, 'page.html');
    expect(await run(['preview', path, '--html', out], env)).toMatchObject({ code: 1 });
    const page = await readFile(out, 'utf8');
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('img-src data:;');
    expect(page).toContain('<iframe sandbox ');
    expect(page).toContain('&lt;script&gt;evil()');
    expect(page).not.toMatch(/<script|<b>|<img/);
    expect(page).toContain('<mark>⟦contact.attributes.none⟧</mark>');
    const shown = await run(['preview', path, '--html', '-', '--images'], env);
    expect(shown.stdout).toContain('img-src data: https: http:;');
    expect(await run(['--json', 'preview', path, '--html', '-'], env)).toMatchObject({ code: 2 });
  });
});

describe('simulate', () => {
  const start = ['--start', '2026-01-05T09:00:00Z'];

  test('prints a line for each message and then a summary', async () => {
    const path = await file('sim.json', campaign());
    const argv = ['--json', 'simulate', path, '--contacts', await file('s.csv', csv), ...start, '--latency', '0'];
    const ran = await run(argv, env);
    expect(ran.code).toBe(0);
    const all = lines(ran);
    const [first] = all;
    expect(first).toEqual({
      ...{ at: '2026-01-05T09:00:00.000Z', contactId: '2', stage: 'hello', step: 0, channel: 'email' },
      ...{ status: 'failed', reason: 'template_variable_missing' },
    });
    expect(all[2]).toMatchObject({ contactId: '3', status: 'skipped', reason: 'address_missing' });
    expect(all[1]).toEqual({
      ...{ at: '2026-01-05T09:00:00.000Z', contactId: '1', stage: 'hello', step: 0, channel: 'email', status: 'sent' },
    });
    expect(all.slice(3, -1).map(({ at, contactId }) => [at, contactId])).toEqual([
      ['2026-01-12T09:00:00.000Z', '1'],
      ['2026-01-12T09:00:00.000Z', '3'],
    ]);
    expect(all.at(-1)).toMatchObject({
      summary: {
        ...{ campaign: 'spring', seed: 1, contacts: 3, ended: 'done', open: 0, startAt: '2026-01-05T09:00:00.000Z' },
        metrics: { total: 3, completed: 2, failed: 1, messages: { sent: 3, failed: 1, skipped: 1 } },
      },
    });
    expect((await run(argv, env)).stdout).toBe(ran.stdout);
  });

  test('draws stages, load and who is left out', async () => {
    const path = await file('sim.json', campaign());
    const argv = [
      'simulate',
      path,
      '--contacts',
      await file('s.csv', csv),
      ...start,
      '--replies',
      'hello: 100% after P1D',
    ];
    const ran = await run(argv, env);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/more +2 +1 +1/);
    expect(ran.stdout).toMatch(/2026-01-05 {2}Mon ·{9}█·{14} +1 +1/);
    expect(ran.stdout).toMatch(/skipped +1 +the contact has no address on that channel \(address_missing\) +3/);
    expect(ran.stdout).toMatch(/failed +1 +.*template_variable_missing.* 2/);
  });

  test('says that the end comes too soon, why, and when it would be over', async () => {
    const contacts = Array.from({ length: 40 }, (_, n) => ({ ...inline.contacts[0], id: n }));
    const schedule = { startAt: { $date: '2026-01-05T09:00:00Z' }, endAt: { $date: '2026-01-05T09:01:00Z' } };
    const path = await file('late.json', campaign({ audience: { contacts }, schedule, flow: { stages: [hello] } }));
    const ran = await run(['simulate', path, '--start', '2026-01-01', '--rate', 'email=0.5', '--latency', '0'], env);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('cuts off 10 conversations: 10 messages would not leave');
    expect(ran.stdout).toContain('10: their channel takes no more');
    expect(ran.stdout).toContain('Without it the last message leaves 2026-01-05 09:01, 18.0 s later');
  });

  test('says where a flow that goes round stops being looked at', async () => {
    const stages = [{ ...more, delay: 'P1D', on: { noReply: 'more' } }];
    const path = await file('round.json', campaign({ audience: inline, flow: { stages } }));
    const ran = await run(['simulate', path, ...start, '--until', 'P10D'], env);
    expect(ran.stdout).toContain('9 messages sent');
    expect(ran.stdout).toContain('1 conversation still open on 2026-01-15 09:00, where the simulation ends (--until)');
  });

  test.each([
    [['--replies', 'often'], '--replies'],
    [['--replies', 'nowhere: 20%'], 'no stage nowhere'],
    [['--bounces', '120%'], '--bounces'],
    [['--failures', '1'], '--failures'],
    [['--rate', 'email'], '--rate'],
    [['--rate', 'fax=3'], 'channels are email, sms'],
    [['--start', 'soon'], '--start'],
    [['--start', '2026-02-30'], '--start'],
    [['--start', '2026-01-05T09:00'], '--start'],
    [['--until', '2020-01-01'], '--until'],
    [['--seed', '-1'], '--seed'],
  ])('%j is wrong use', async (options, named) => {
    const path = await file('wrong.json', campaign({ audience: inline }));
    expect(await run(['simulate', path, ...options], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(named),
    });
  });

  test('does not play what could not start', async () => {
    const path = await file('bad.json', campaign({ audience: inline, priority: 99 }));
    expect(await run(['simulate', path], env)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not simulated'),
    });
    const ran = await run(['--json', 'simulate', path], env);
    expect(ran.json()).toMatchObject({ simulated: false, faults: [{ path: 'priority' }] });
  });
});
