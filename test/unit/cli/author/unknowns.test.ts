/** What an author's commands say of contacts that cannot be used, of what is only known later, and of what recurs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../host.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unknowns-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, ...content: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content.join('\n'));
  return path;
}

const env = {
  CHANNEL_EMAIL_DRIVER: 'console',
  CHANNEL_SMS_DRIVER: 'console',
  CHANNEL_CRM_DRIVER: 'console',
  CHANNEL_CRM_ADDRESS: 'url',
};
const start = ['--start', '2026-01-01'];

describe('contacts that cannot be used', () => {
  const path = (): Promise<string> =>
    file(
      'contacts.yaml',
      '_id: spring',
      'status: pending',
      'transactional: true',
      'audience:',
      '  contacts:',
      '    - { id: b, phone: +4930123457 }',
      '    - { id: a, phone: "+4930123456", name: Ada }',
      '    - { id: c, phone: 030123458 }',
      '    - { id: a, phone: "+4930123459" }',
      'flow: { stages: [ { id: m, type: message, channel: sms, content: { text: "Hi {{ contact.name }}" } } ] }',
    );
  const why = 'phone has to be a string, was 4930123457; write it in quotes, first: id b';

  test('are warned of by validate, with their place', async () => {
    const found = await run(['--json', 'validate', await path()], env);
    expect(found.json()).toMatchObject({
      valid: true,
      warnings: [
        { code: 'contact_invalid', path: 'audience.contacts[0].phone', line: 6, message: expect.stringContaining(why) },
        { code: 'duplicate_contact', path: 'audience.contacts[3]', line: 9 },
      ],
    });
    expect((await run(['validate', await path()], env)).stdout).toContain('2 of 4 contacts cannot be used');
  });

  test('are named by simulate and preview', async () => {
    const simulated = await run(['simulate', await path(), ...start], env);
    expect(simulated.stdout).toContain(`2 contacts left out: ${why}`);
    expect(simulated.stdout).toContain('1 contact left out: there is one with the same id before, first: id a');
    const previewed = await run(['preview', await path()], env);
    expect(previewed.stdout).toContain('Hi Ada');
    expect(previewed.stderr).toContain(`note: 1 contact left out: ${why}`);
    expect((await run(['preview', await path(), '--contact', 'c'], env)).stderr).toContain(why);
  });
});

describe('what is only known as the campaign runs', () => {
  const path = (): Promise<string> =>
    file(
      'later.yaml',
      '_id: later',
      'status: pending',
      'transactional: true',
      'audience: { contacts: [ { id: a, phone: "+491", email: a@x.example } ] }',
      'flow:',
      '  stages:',
      '    - { id: hook, type: webhook, channel: crm, body: { who: a }, keep: true }',
      '    - { id: ask, type: message, channel: sms, content: { text: "Your score is {{ variables.hook.score }}" }, waitForReply: P2D, on: { reply: thanks } }',
      '    - { id: over, type: end, outcome: done }',
      '    - { id: thanks, type: message, channel: sms, content: { text: "You wrote {{ event.text }}" } }',
    );

  test('is no warning and no failure, and is named', async () => {
    expect((await run(['--json', 'validate', await path(), '--strict'], env)).json()).toMatchObject({ warnings: [] });
    const previewed = await run(['preview', await path()], env);
    expect(previewed).toMatchObject({ code: 0, stdout: expect.stringContaining('You wrote (reply)') });
    expect(previewed.stdout).toContain('known only as the campaign runs: variables.hook.score');
    expect(previewed.stdout).toContain('1 SMS: 14 of 160 characters in GSM-7');
    expect((await run(['preview', await path(), '--html', '-'], env)).stdout).toContain(
      'known only as the campaign runs',
    );
    const simulated = await run(['simulate', await path(), ...start, '--replies', 'ask: 100% after P1D'], env);
    expect(simulated.stdout).toMatch(/thanks +1 +1/);
    expect(simulated.stdout).not.toContain('template_variable_missing');
    expect(simulated.stderr).toContain('marks stand for what hook would keep');
  });
});

test('preview marks what is missing inside of conditions, but not what they only ask for', async () => {
  const path = await file(
    'inner.yaml',
    '_id: inner',
    'status: pending',
    'audience: { contacts: [ { id: a, phone: "+491", attributes: {} } ] }',
    'flow: { stages: [ { id: m, type: message, channel: sms, content: { text: "{% unless contact.attributes.vip %}{% assign x = contact.attributes.b %}{{ contact.attributes.a }} {{ x }}{% endunless %}" } } ] }',
  );
  expect((await run(['--json', 'preview', path], env)).json()).toMatchObject({
    messages: [
      {
        ...{ missing: ['contact.attributes.b', 'contact.attributes.a'], sms: { units: 1, encoding: 'GSM-7' } },
        content: { text: '⟦contact.attributes.a⟧ ⟦contact.attributes.b⟧' },
        failure: { reason: 'template_variable_missing' },
      },
    ],
  });
});

test('simulate plays one occurrence of what recurs, from when it begins', async () => {
  const path = await file(
    'recurring.yaml',
    '_id: weekly',
    'status: pending',
    'type: recurring',
    'schedule: { recurrence: "DTSTART;TZID=Europe/Berlin:20260105T090000\\nRRULE:FREQ=WEEKLY;BYDAY=MO" }',
    'audience: { contacts: [ { id: a, phone: "+491" } ] }',
    'flow: { stages: [ { id: m, type: message, channel: sms, content: { text: t } } ] }',
  );
  const ran = await run(['--json', 'simulate', path, ...start, '--until', 'P15D', '--latency', '0'], env);
  expect(ran.stdout).toContain('{"at":"2026-01-05T08:00:00.000Z","contactId":"a"');
  expect(ran.stdout).toContain(
    'one occurrence, that of 2026-01-05T08:00:00.000Z; 2 others until 2026-01-20T08:00:00.000Z',
  );
});

test('validate says slips in conditions, events and fields, and takes channels by name for what contacts lack', async () => {
  const path = await file(
    'slips.yaml',
    '_id: 007',
    'status: pending',
    'transactional: true',
    'schedul: { startAt: 2027-01-05T09:00:00Z }',
    'exitWhen: { contact.atributes.customer: true }',
    'audience: { contacts: [ { id: a, name: Ada } ] }',
    'flow:',
    '  stages:',
    '    - { id: m, type: message, channel: sms, content: { text: Hi }, on: { Reply: e } }',
    '    - { id: w, type: wait, until: contact.atributes.renewal - P7D, onMissing: e }',
    '    - { id: e, type: end, outcome: done }',
  );
  const found = (await run(['--json', 'validate', path])).json();
  expect(found['warnings']).toMatchObject([
    { code: 'id_number', line: 1 },
    { code: 'field_unknown', line: 4 },
    { code: 'variable_unknown', line: 5 },
    { code: 'event_unlikely', line: 9 },
    { code: 'variable_unknown', line: 10 },
    { code: 'address_missing', line: 9 },
  ]);
});

test('the table of messages is no wider than a terminal', async () => {
  const path = await file(
    'wide.yaml',
    '_id: wide',
    'status: pending',
    'transactional: true',
    `audience: { contacts: [ ${Array.from({ length: 50 }, (_, n) => `{ id: ${n}, email: a@x.example }`).join(', ')} ] }`,
    'flow: { stages: [ { id: m, type: message, channel: email, content: { subject: s, text: t }, delay: PT1M40S } ] }',
  );
  const ran = await run(['simulate', path, ...start, '--rate', 'email=0.05', '--latency', '0'], env);
  const table = ran.stdout.split('\n').filter((line) => /^(message|m) +(channel|email)/.test(line));
  expect(table.map((line) => line.replace(/ +/g, ' '))).toEqual([
    'message channel sent not sent first half 99 % last',
    expect.stringMatching(/^m email 50 \+1 min \+\d+ min \+\d+ min \+\d+ min$/),
  ]);
  for (const line of table) expect(line.length).toBeLessThanOrEqual(80);
});
