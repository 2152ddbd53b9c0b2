/** The story of the demo: who is written to, what is said, who answers what. Deterministic, so that every run tells the same. */
import { fnv1a32 } from '../../domain/ids.ts';
import type { CampaignDocument, Template } from '../../domain/model.ts';

export const campaignId = 'onboarding';
export const stageOrder: readonly string[] = ['welcome', 'pause', 'tips', 'quiet', 'thanks', 'activated'];

/** Compressed clock: what a real onboarding would do in days happens in as many seconds. */
export const template: Template = {
  _id: { id: 'onboarding', version: 1 },
  variables: { product: 'Compass', sender: 'Ada' },
  flow: {
    stages: [
      {
        id: 'welcome',
        type: 'message',
        channel: 'email',
        content: {
          subject: 'Welcome to {{ variables.product }}, {{ contact.name }}',
          text: 'Hi {{ contact.name }},\n\nyour {{ contact.attributes.plan }} plan for {{ contact.attributes.company }} is ready. What would you like to do first? Just reply.\n\n{{ variables.sender }}',
          html: '<p>Hi {{ contact.name }},</p><p>your <b>{{ contact.attributes.plan }}</b> plan for {{ contact.attributes.company }} is ready. What would you like to do first? Just reply.</p><p>{{ variables.sender }}</p>',
          locales: {
            de: {
              subject: 'Willkommen bei {{ variables.product }}, {{ contact.name }}',
              text: 'Hallo {{ contact.name }},\n\nIhr Tarif {{ contact.attributes.plan }} für {{ contact.attributes.company }} ist bereit. Was möchten Sie zuerst tun? Antworten Sie einfach.\n\n{{ variables.sender }}',
              html: '<p>Hallo {{ contact.name }},</p><p>Ihr Tarif <b>{{ contact.attributes.plan }}</b> für {{ contact.attributes.company }} ist bereit. Was möchten Sie zuerst tun? Antworten Sie einfach.</p><p>{{ variables.sender }}</p>',
            },
          },
        },
        followUps: [
          {
            after: 'PT3S',
            content: {
              subject: 'A first step for {{ contact.attributes.company }}',
              text: 'Hi {{ contact.name }}, most teams begin by inviting a colleague. Shall I show you how?\n\n{{ variables.sender }}',
            },
          },
          {
            after: 'PT4S',
            content: {
              subject: 'Is {{ variables.product }} what you were looking for?',
              text: 'Hi {{ contact.name }}, a word from you would help us: what is missing?\n\n{{ variables.sender }}',
            },
          },
        ],
        waitForReply: 'PT3S',
        on: { reply: 'thanks' },
      },
      { id: 'pause', type: 'wait', for: 'PT2S' },
      {
        id: 'tips',
        type: 'message',
        channel: 'sms',
        content: { text: '{{ variables.product }}: 3 shortcuts that save an hour a week. Reply YES and we send them.' },
        waitForReply: 'PT4S',
        on: { reply: 'thanks', noReply: 'quiet' },
      },
      { id: 'quiet', type: 'end', outcome: 'no_answer' },
      {
        id: 'thanks',
        type: 'message',
        channel: 'email',
        content: {
          subject: 'Thank you, {{ contact.name }}',
          text: 'Thank you for your answer. I will come back to you today.\n\n{{ variables.sender }}',
          locales: {
            de: {
              subject: 'Vielen Dank, {{ contact.name }}',
              text: 'Vielen Dank für Ihre Antwort. Ich melde mich heute.\n\n{{ variables.sender }}',
            },
          },
        },
      },
      { id: 'activated', type: 'end', outcome: 'activated' },
    ],
  },
};

export const campaign: CampaignDocument = {
  _id: campaignId,
  name: 'Onboarding to Compass',
  type: 'sequence',
  status: 'pending',
  audience: {
    collection: 'contacts',
    filter: { consent: true },
    map: { name: '$profile.firstName', locale: '$profile.locale' },
  },
  templateId: template._id.id,
  templateVersion: template._id.version,
  unsubscribe: { url: 'https://compass.example/unsubscribe/{{ token }}' },
};

const firstNames = [
  'Amara',
  'Ben',
  'Chiara',
  'David',
  'Elif',
  'Finn',
  'Grace',
  'Hana',
  'Ivan',
  'Julia',
  'Kofi',
  'Lena',
];
const companies = ['Northwind', 'Blue Heron', 'Fabrikam', 'Alpenglow', 'Tailspin', 'Contoso', 'Rheinwerk'];
const locales = ['en-GB', 'de-DE', 'en-US', 'de-AT', 'fr-FR'];
const plans = ['starter', 'team', 'business'];
const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/** A document of the `contacts` collection, in a shape of its own: the campaign's `map` makes a contact of it. */
export interface Person {
  _id: string;
  email: string;
  phone: string;
  consent: boolean;
  profile: { firstName: string; locale: string };
  attributes: { plan: string; company: string };
}

/** One person in a hundred has an address the provider does not know. Domains and numbers are reserved for examples. */
export function person(index: number): Person {
  const firstName = pick(firstNames, index);
  const id = `c${String(index + 1).padStart(6, '0')}`;
  const mailbox = index % 100 === 41 ? `gone.${id}` : `${firstName.toLowerCase()}.${id}`;
  return {
    _id: id,
    email: `${mailbox}@example.com`,
    phone: `+1202555${String(100 + (index % 100)).padStart(4, '0')}`,
    consent: true,
    profile: { firstName, locale: pick(locales, index * 7 + Math.floor(index / 3)) },
    attributes: { plan: pick(plans, index), company: pick(companies, index) },
  };
}

/** `count` people who agreed, and one in twenty more who did not. */
export function* people(count: number): Generator<Person> {
  for (let index = 0; index < count; index++) yield person(index);
  for (let index = count; index < count + Math.floor(count / 20); index++) yield { ...person(index), consent: false };
}

export const isUnknownAddress = (to: string): boolean => to.startsWith('gone.');

/** Whom answers what: a share of people by the message that makes them answer, in per mille. */
const repliesTo: readonly [place: string, perMille: number][] = [
  ['welcome/0', 140],
  ['welcome/1', 80],
  ['welcome/2', 50],
  ['tips/0', 60],
];
const answers = [
  'Yes please, show me',
  'Thanks, this looks good',
  'How do I invite my team?',
  'Great, when can we talk?',
];

export interface Answer {
  text: string;
  /** After the message arrived. */
  delayMs: number;
}

/** What the person answers to this message, if anything. Each person answers one message at most. */
export function answerTo(conversation: string, stage: string, step: number): Answer | undefined {
  const draw = fnv1a32(`${conversation}#`) % 1000;
  let bound = 0;
  for (const [place, perMille] of repliesTo) {
    bound += perMille;
    if (draw >= bound) continue;
    if (place !== `${stage}/${step}`) return undefined;
    return { text: pick(answers, draw), delayMs: 200 + (fnv1a32(conversation) % 1400) };
  }
  return undefined;
}
