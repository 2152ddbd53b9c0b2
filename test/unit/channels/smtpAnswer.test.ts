import { readFileSync } from 'node:fs';
import { expect, describe as group, test } from '@jest/globals';
import { describe, replyVerdict, type SmtpError, secretsOf } from '../../../src/channels/smtpAnswer.ts';

const refused = (command: string, response: string): SmtpError =>
  Object.assign(new Error('refused'), { code: command === 'DATA' ? 'EMESSAGE' : 'EENVELOPE', command, response });

group('a sender that is refused is the channel’s trouble, wherever the server says it', () => {
  test.each([
    ['RCPT TO', '553 5.7.1 <news@a.test>: Sender address rejected: not owned by user app'],
    ['RCPT TO', '550 5.1.8 <news@a.test>: Sender address rejected: Domain not found'],
    ['RCPT TO', '550 5.7.27 the domain of the sender takes no mail'],
    ['RCPT TO', '450 4.1.7 the sender is looked up'],
    ['MAIL FROM', '550 5.1.1 nobody'],
    ['MAIL FROM', '550 no such user'],
    ['RCPT TO', '550 5.1.0 <news@a.test>: Sender address rejected: User unknown in virtual mailbox table'],
    ['RCPT TO', '450 4.1.8 <news@a.test>: Sender address rejected: Domain not found'],
    ['RCPT TO', '550 5.1.7 the address is misspelt'],
    ['RCPT TO', '554 5.7.1 <ada@b.test>: Relay access denied'],
    ['RCPT TO', '550 5.7.1 <ada@b.test>... Relaying denied'],
    ['RCPT TO', '550 relay not permitted'],
    ['RCPT TO', '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain'],
    ['RCPT TO', '550-Verification failed for <news@a.test>\r\n550 Sender verify failed'],
    ['RCPT TO', '550-The mail server of a.test said: no such user\r\n550 Sender verify failed'],
    ['RCPT TO', '550 5.1.2 we are no relay: relaying denied'],
    ['DATA', '554 5.7.1 <news@a.test>: Sender address rejected: Access denied'],
    ['DATA', '550 5.1.8 bad sender'],
    ['MAIL FROM', '550 5.7.1 not you'],
  ])('%s: %s', (command, response) => {
    expect(replyVerdict(refused(command, response), 'said')).toEqual({
      ...{ kind: 'retry', code: 'sender_refused', message: 'said', counts: false, retryAfterMs: 60_000 },
    });
  });
});

const dead = { kind: 'rejected', message: 'said', bounce: true };

group('an address that does not exist, or takes nothing any more, is a hard bounce', () => {
  test.each([
    ['RCPT TO', '550 5.1.1 <sender@b.test>: Recipient address rejected: User unknown', 'address_invalid'],
    ['DATA', '550 5.1.1 nobody here', 'address_invalid'],
    [
      'RCPT TO',
      '550 5.1.1 <ada@b.test>: Recipient address rejected: undeliverable address: host mx.b.test said: 554 5.7.1 Relay access denied',
      'address_invalid',
    ],
    ['RCPT TO', '550 5.1.1 <ada@b.test>: host mx.b.test said: 550 Sender address rejected', 'address_invalid'],
    ['RCPT TO', '550 no such user: host mx.b.test said: relaying denied', 'address_invalid'],
    [
      'RCPT TO',
      '550-5.1.1 The account that you tried to reach does not exist.\r\n550 5.1.1 More at',
      'address_invalid',
    ],
    ['RCPT TO', '550-what we think\r\n550 5.1.1 of it', 'address_invalid'],
    ['RCPT TO', '550 5.1.2 no such host', 'address_invalid'],
    ['RCPT TO', '550 5.1.6 moved', 'address_invalid'],
    ['RCPT TO', '550 5.1.10 RESOLVER.ADR.RecipientNotFound', 'address_invalid'],
    ['RCPT TO', '556 the domain takes no mail', 'address_invalid'],
    ['RCPT TO', '556 5.1.10 null MX', 'address_invalid'],
    ['RCPT TO', '550 No such user here', 'address_invalid'],
    ['RCPT TO', '550 unknown user', 'address_invalid'],
    ['RCPT TO', '550 Mailbox not found', 'address_invalid'],
    ['RCPT TO', "550 recipient doesn't exist", 'address_invalid'],
    ['DATA', '550 sorry, no mailbox here by that name (#5.1.1)', 'address_invalid'],
    ['RCPT TO', '550 5.2.1 The account that you tried to reach is inactive', 'smtp_550'],
    ['RCPT TO', '554 5.2.1 disabled', 'smtp_554'],
  ])('%s: %s', (command, response, code) => {
    expect(replyVerdict(refused(command, response), 'said')).toEqual({ ...dead, code });
  });
});

group('nobody is suppressed for anything else', () => {
  test.each([
    ['550 5.2.2 mailbox full', 'smtp_550'],
    ['552 5.2.2 over quota', 'smtp_552'],
    ['552 Requested mail action aborted: exceeded storage allocation', 'smtp_552'],
    ['552 5.2.3 too large for the mailbox', 'smtp_552'],
    ['550 5.2.0 something about the mailbox', 'smtp_550'],
    [
      '550-5.2.1 The user you are trying to contact is receiving mail at a rate that\r\n550 5.2.1 prevents it',
      'smtp_550',
    ],
    ['550 5.1.0 address rejected', 'address_invalid'],
    ['553 5.1.3 syntax', 'address_invalid'],
    ['550 5.3.0 a system', 'smtp_550'],
    ['550 5.4.1 Recipient address rejected: Access denied', 'smtp_550'],
    ['550 5.6.7 not without SMTPUTF8', 'smtp_550'],
    ['550 5.7.1 <ada@b.test>: no such user, says our policy', 'smtp_550'],
    ['550 5.7.26 neither SPF nor DKIM', 'smtp_550'],
    ['550 Requested action not taken: mailbox unavailable', 'smtp_550'],
    ['550 access denied', 'smtp_550'],
    ['551 User not local; please try <ada@c.test>', 'smtp_551'],
    ['553 mailbox name not allowed', 'smtp_553'],
    ['554 no such user', 'smtp_554'],
    ['571 blocked', 'smtp_571'],
    // of another class than the reply code: which of them is meant, nobody can tell
    ['550 4.1.1 nobody', 'smtp_550'],
    ['550 5.1.11 no code that we know', 'smtp_550'],
    ['550 5.1.1234 no code at all', 'smtp_550'],
  ])('%s', (response, code) => {
    for (const command of ['RCPT TO', 'DATA'])
      expect(replyVerdict(refused(command, response), 'said')).toEqual({ kind: 'rejected', code, message: 'said' });
  });

  test.each([
    '450 4.2.1 greylisted',
    '451 4.7.1 later',
    '452 4.2.2 over quota',
    '450 5.1.1 nobody',
    '450 no such user',
    '450 4.1.1 <ada@b.test>: unverified address: host mx.b.test said: 450 Relay access denied',
  ])('%s: another try', (response) => {
    const code = `smtp_${response.slice(0, 3)}`;
    for (const command of ['RCPT TO', 'DATA', 'MAIL FROM'])
      expect(replyVerdict(refused(command, response), 'said')).toMatchObject({ kind: 'retry', code, counts: true });
  });
});

group('what is said of the recipient or of the message is the message’s', () => {
  test.each([
    ['RCPT TO', '554 5.7.1 <ada@b.test>: Recipient address rejected: Access denied', 'smtp_554'],
    ['DATA', '550 5.7.1 rejected as spam', 'smtp_550'],
    ['MAIL FROM', '552 5.3.4 too large', 'smtp_552'],
  ])('%s: %s', (command, response, code) => {
    expect(replyVerdict(refused(command, response), 'said')).toEqual({ kind: 'rejected', code, message: 'said' });
  });
});

group('a server that repeats what it was told', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  test.each(['p@ss wörd', 'A', 'ab', 'abc', 'x'.repeat(300)])('shows nothing of the password %j', (pass) => {
    const secrets = secretsOf({ user: 'app', pass });
    const written = [pass, base64(pass), base64(`\0app\0${pass}`), base64(`\0app\0${pass}`).replaceAll('=', '')];
    for (const said of written) {
      expect(describe(refused('AUTH PLAIN', `501 5.5.2 ${said}`), secrets)).toMatch(
        /^SMTP 501 5\.5\.2 at AUTH PLAIN: \*\*\*=*$/,
      );
      expect(describe(new Error(said), secrets)).toMatch(/^\*\*\*=*$/);
    }
  });

  test('shows the user, and all of it where there is no login', () => {
    expect(describe(refused('AUTH LOGIN', '535 no app'), secretsOf({ user: 'app', pass: 'x' }))).toContain('no app');
    expect(describe(refused('RCPT TO', '550 no'), secretsOf({ user: 'app', pass: '' }))).toBe(
      'SMTP 550 at RCPT TO: no',
    );
  });
});

group('docs/mail.md says what is true: a reply', () => {
  const text = readFileSync(new URL('../../../docs/mail.md', import.meta.url), 'utf8');
  const rows = text
    .slice(text.indexOf('| Reply |'), text.indexOf('Any 5xx to'))
    .split('\n')
    .map((row) => /^\| (`.*`) \| (hard bounce|fails|another try|waits) \|/.exec(row))
    .filter((row) => row !== null)
    .flatMap(([, replies = '', outcome = '']) =>
      [...replies.matchAll(/`([^`]+)`/g)].map(([, response = '']): [string, string] => [response, outcome]),
    );

  test('is there', () => expect(rows.length).toBeGreaterThan(35));
  test.each(rows)('%s: %s', (response, outcome) => {
    const result = replyVerdict(refused('RCPT TO', response), 'said');
    if (result.kind === 'retry') expect(result.counts ? 'another try' : 'waits').toBe(outcome);
    else expect(result.kind === 'rejected' && result.bounce === true ? 'hard bounce' : 'fails').toBe(outcome);
  });
});
