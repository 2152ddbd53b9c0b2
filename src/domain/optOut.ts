/** Words by which people leave (STOP), come back (START) and ask who writes (HELP), whatever the campaign is about. */

export type Word = 'stop' | 'start' | 'help';
/** How people write on a channel: whole short messages, or mail, in which more words mean something else. */
export type WritingKind = 'phone' | 'mail';

/** 47 CFR 64.1200(a)(10), CTIA Messaging Principles 5.1.3 and what providers know beside them; then the large languages of Europe. */
const stopEverywhere = [
  ...['stop', 'stop all', 'stopall', 'stop it', 'stop this', 'unsubscribe', 'unsubscribe me', 'unsub', 'opt out'],
  ...['optout', 'opt me out', 'remove', 'remove me', 'remove me from your list', 'remove me from this list'],
  ...['take me off your list', 'take me off the list', 'stop sending', 'stop sending me messages'],
  ...['stop sending messages', 'stop messages', 'stop messaging me', 'stop contacting me', 'do not contact me'],
  ...['dont contact me', 'no more messages', 'stop emails', 'stop emailing me', 'no more emails'],
  ...['stopp', 'abmelden', 'abbestellen', 'abmeldung', 'austragen', 'bitte abmelden', 'keine nachrichten mehr'],
  ...['keine mails mehr', 'keine werbung mehr', 'newsletter abbestellen', 'newsletter abmelden'],
  ...['arret', 'arreter', 'arretez', 'desabonner', 'desabonnement', 'me desabonner', 'desinscription'],
  ...['desinscrire', 'me desinscrire', 'desinscrivez moi', 'desabonnez moi', 'ne plus recevoir'],
  ...['baja', 'alto', 'parar', 'darse de baja', 'dar de baja', 'darme de baja', 'dame de baja', 'no mas mensajes'],
  ...['cancelar suscripcion', 'anular suscripcion', 'desuscribir', 'desuscribirme'],
  ...['basta', 'disiscrivi', 'disiscriviti', 'disiscrivimi', 'cancellami', 'cancellazione', 'disiscrizione'],
  ...['sair', 'pare', 'descadastrar', 'descadastre', 'cancelar inscricao', 'remover', 'nao quero receber'],
  ...['afmelden', 'uitschrijven', 'stoppen', 'meld me af', 'geen berichten meer'],
  ...['wypisz', 'wypisz mnie', 'rezygnuje', 'rezygnacja', 'wypisuje sie'],
  ...['avregistrera', 'avsluta prenumeration', 'avprenumerera', 'avmeld', 'avslutt', 'meld meg av', 'afmeld'],
  ...['frameld', 'afmeld mig', 'lopeta', 'peruuta tilaus', 'odhlasit', 'odhlasit se', 'leiratkozas', 'leiratkozom'],
  ...['dezabonare', 'dezabonati ma', 'odjava', 'odjavi me', 'ret', 'iptal', 'abonelikten cik'],
  ...['στοπ', 'διαγραφη', 'απεγγραφη', 'стоп', 'отписаться', 'отписка', 'отпишите меня', 'відписатися', 'отпиши ме'],
];
/** On a phone, where a message of one such word is meant for nobody else; in a mail it may answer what was asked. */
const stopOnPhones = [
  ...['end', 'quit', 'cancel', 'revoke', 'cancela', 'cancelar', 'annulla', 'annuler', 'ende', 'fin', 'avsluta', 'peru'],
  ...['arret sms', 'stop sms', 'sms stop', 'stop texts', 'stop texting', 'stop texting me', 'stop text'],
  ...['do not text me', 'dont text me', 'no more texts', 'no sms', 'keine sms mehr', 'no mas sms', 'stop whatsapp'],
  ...['delete me', 'block', 'leave me alone', 'lass mich in ruhe', 'koniec', 'iesire'],
];
/** Nothing that is also an answer ("yes"): it must not undo an opt-out. */
const startWords = [
  ...['start', 'unstop', 'subscribe', 'resubscribe', 'opt in', 'optin', 'anmelden', 'reprendre', 'abonner', 'alta'],
  ...['suscribir', 'iscrivimi', 'inscrever', 'aanmelden', 'старт', 'εγγραφη'],
];
const helpWords = [
  ...['help', 'info', 'hilfe', 'aide', 'ayuda', 'aiuto', 'ajuda', 'pomoc', 'hjalp', 'hjelp', 'hjaelp', 'apua'],
  ...['segitseg', 'ajutor', 'yardim', 'βοηθεια', 'помощь', 'допомога'],
];
/** What may stand beside a word and changes nothing. */
const polite = [
  ...['please', 'pls', 'plz', 'thanks', 'thank you', 'thx', 'now', 'immediately', 'hi', 'hello', 'hey', 'ok', 'okay'],
  ...['bitte', 'danke', 'sofort', 'jetzt', 'hallo', 'merci', 'svp', 's il vous plait', 's il te plait', 'bonjour'],
  ...['por favor', 'gracias', 'hola', 'ya', 'per favore', 'grazie', 'ciao', 'obrigado', 'obrigada', 'prosze'],
  ...['dziekuje', 'alstublieft', 'alsjeblieft', 'aub', 'bedankt', 'tack', 'takk', 'tak', 'kiitos', 'prosim', 'dekuji'],
  ...['koszonom', 'va rog', 'multumesc', 'lutfen', 'пожалуиста', 'спасибо', 'παρακαλω', 'ευχαριστω', 'будь ласка'],
];

/** Letters that Unicode does not take apart. */
const letters: Readonly<Record<string, string>> = { ł: 'l', ø: 'o', đ: 'd', ı: 'i', æ: 'ae', œ: 'oe', ß: 'ss' };

/** Without case, accents, punctuation and repetition. */
function fold(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[łøđıæœß]/g, (letter) => letters[letter] as string)
    .replace(/(?<=\p{L})['\u2019`](?=t\b)/gu, '');
  const words = plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  if (words.length > 2 && words.every((word) => word.length === 1)) return words.join('');
  return words.filter((word, index) => word !== words[index - 1]).join(' ');
}

const folded = (words: readonly string[]): ReadonlySet<string> => new Set(words.map(fold));
const stops = { mail: folded(stopEverywhere), phone: folded([...stopEverywhere, ...stopOnPhones]) };
const starts = folded(startWords);
const helps = folded(helpWords);
const politeness = new RegExp(`(?<!\\S)(?:${polite.map(fold).join('|')})(?!\\S)`, 'g');
/** Nobody writes one of these words in more. */
const longestText = 200;

/** Where what a mail answers to begins, in the forms that mail programs write. */
const quoteStart =
  /^\s*(?:>|-{2,}\s*$|-{3,}|_{5,}|(?:on|am|le|el|il|em|op|w dniu|den)\b.*:\s*$|(?:from|von|de|da|van|od)\s*:)/i;

/** Mail: its first paragraph, without what it quotes and without a signature. */
function firstParagraph(text: string): string {
  const lines: string[] = [];
  for (const line of text.trimStart().split(/\r?\n/)) {
    if (line.trim() === '' || quoteStart.test(line)) break;
    lines.push(line);
  }
  return lines.join(' ');
}

/** The word that a whole text is; undefined when it says anything else. */
export function wordOf(text: string, kind: WritingKind): Word | undefined {
  const said = kind === 'mail' ? firstParagraph(text.slice(0, 10_000)) : text;
  if (said.length > longestText) return undefined;
  const whole = fold(said);
  const bare = fold(whole.replace(politeness, ' '));
  for (const words of [whole, bare]) {
    if (stops[kind].has(words)) return 'stop';
    // in a mail these are questions to a person
    if (kind === 'phone' && starts.has(words)) return 'start';
    if (kind === 'phone' && helps.has(words)) return 'help';
  }
  return undefined;
}
