import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type WritingKind, wordOf } from '../../../src/domain/optOut.ts';

const phones = (texts: string[]) => texts.map((text) => [text, 'phone' as WritingKind] as const);
const mails = (texts: string[]) => texts.map((text) => [text, 'mail' as WritingKind] as const);

describe('words by which people leave', () => {
  test.each([
    ...phones([
      'STOP',
      'stop',
      'Stop.',
      'STOP!!!',
      ' stop \n',
      '"Stop"',
      'S T O P',
      's.t.o.p',
      'STOP STOP',
      '🛑 STOP 🛑',
    ]),
    ...phones([
      'stop please',
      'Please stop',
      'PLEASE STOP NOW',
      'stop, thanks',
      'Hi, stop it please',
      'stop sms',
      '/stop',
    ]),
    // 47 CFR 64.1200(a)(10)
    ...phones([
      'stop',
      'quit',
      'end',
      'revoke',
      'opt out',
      'opt-out',
      'OPTOUT',
      'cancel',
      'unsubscribe',
      'STOPALL',
      'stop all',
    ]),
    ...phones(["don't text me", 'Don’t contact me', 'Remove me', 'stop texting me', 'No more messages']),
    ...phones([
      'Stopp',
      'Abmelden',
      'bitte abmelden',
      'ABBESTELLEN',
      'Keine SMS mehr',
      'Arrêt',
      'ARRÊTER svp',
      'Arrêtez',
    ]),
    ...phones(['désabonner', 'Désinscription', 'STOP SMS', 'BAJA', 'darse de baja', 'por favor, baja', 'cancelar']),
    ...phones(['Basta', 'cancellami per favore', 'Sair', 'PARAR', 'não quero receber', 'Afmelden', 'uitschrijven aub']),
    ...phones(['wypisz mnie', 'Rezygnuję', 'stopp tack', 'Avregistrera', 'afmeld', 'frameld', 'LOPETA', 'odhlásit']),
    ...phones([
      'leiratkozás',
      'Dezabonare',
      'İPTAL',
      'iptal lütfen',
      'ΣΤΟΠ',
      'Διαγραφή',
      'СТОП',
      'отписаться',
      'Стоп, пожалуйста',
    ]),
    ...mails([
      'Unsubscribe',
      'stop',
      'STOP\n\nOn Mon, 5 Jan 2026, Ada <ada@example.com> wrote:\n> Hello',
      'Please remove me',
    ]),
    ...mails([
      'Abmelden\r\n\r\nViele Grüße\r\nAnna',
      'stop\n> quoted',
      'Stop\n-- \nAnna',
      'Stop\nVon: Ada\nGesendet: heute',
    ]),
    ...mails(['Stop\nAm Mo., 5. Jan. 2026 um 09:00 Uhr schrieb Ada:\n> Hallo', '\n\n unsubscribe me']),
  ])('%j by %s', (text, kind) => {
    expect(wordOf(text, kind)).toBe('stop');
  });

  test.each([
    ...phones([
      '',
      '   ',
      '🙂',
      'yes',
      'Yes please',
      'no',
      'please',
      'stop by tomorrow',
      'do not stop',
      "don't stop",
      'bus stop',
    ]),
    ...phones([
      'I will end this week',
      'Can I cancel my appointment?',
      'nonstop',
      'stopover',
      'Ich melde mich ab morgen',
      'thanks',
    ]),
    ...phones(['the next stop is Berlin', 'startling', 'x'.repeat(1000), `stop ${'please '.repeat(100)}`]),
    ...mails([
      'end',
      'cancel',
      'quit',
      'fin',
      'help',
      'start',
      'Stop by our office tomorrow',
      '> stop',
      'On Monday I wrote:\nstop',
    ]),
    ...mails([
      'Thank you!\n\n> Reply STOP to unsubscribe',
      'I would like to unsubscribe from the other list, not this',
    ]),
  ])('%j by %s is none of them', (text, kind) => {
    expect(wordOf(text, kind)).toBeUndefined();
  });

  test.each([
    ['START', 'start'],
    ['unstop', 'start'],
    ['Subscribe please', 'start'],
    ['HELP', 'help'],
    ['help please', 'help'],
    ['Hilfe!', 'help'],
    ['Aide', 'help'],
    ['INFO', 'help'],
    ['ПОМОЩЬ', 'help'],
  ] as const)('%j is %s', (text, word) => {
    expect(wordOf(text, 'phone')).toBe(word);
  });

  test('letters that Unicode does not take apart are read all the same', () => {
    expect(['Hjælp', 'HJÆLP', 'hjałp'].map((text) => wordOf(text, 'phone'))).toEqual(['help', 'help', 'help']);
  });

  test('case, accents, punctuation and blanks around change nothing; more words do', () => {
    const noise = fc.stringMatching(/^[ .!?,;:*"()-]{0,5}$/);
    const word = fc.constantFrom('stop', 'unsubscribe', 'abmelden', 'désabonner', 'baja', 'отписаться');
    fc.assert(
      fc.property(noise, word, noise, fc.boolean(), (before, said, after, loud) => {
        expect(wordOf(`${before}${loud ? said.toUpperCase() : said}${after}`, 'phone')).toBe('stop');
        expect(wordOf(`tomorrow ${said} Berlin`, 'phone')).toBeUndefined();
      }),
    );
  });

  test('any text at all is read without a fault, and in no time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.constantFrom('mail' as const, 'phone' as const),
        (text, kind) => {
          wordOf(text, kind);
        },
      ),
    );
    const began = performance.now();
    wordOf('on '.repeat(1_000_000), 'mail');
    wordOf('a'.repeat(5_000_000), 'phone');
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
