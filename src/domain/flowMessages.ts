/** The messages of a flow as its author wrote them, each with the templates it is made of. */
import { type CompiledContent, type Localised, type Scope, templatesOf } from './content.ts';
import type { FlowContext } from './decision.ts';
import type { CompiledStage } from './flow.ts';
import { conversationId } from './ids.ts';
import { parseTemplate } from './liquid.ts';
import { type Uses, usesOf } from './liquidUses.ts';
import { renderText } from './mail.ts';
import type { Contact, Content, Flow, Stage } from './model.ts';
import { addressIn, messageOf } from './stages.ts';

export interface TemplateUses extends Uses {
  /** Of the string in the document. */
  path: string;
}

export interface FlowMessage {
  stage: string;
  step: number;
  channel: string;
  /** Of what says it in the document: a stage, one of its follow-ups, or its fallback. */
  path: string;
  /** It is what the stage says by its fallback. */
  fallback?: true;
  /** The fallback takes its place if it cannot be delivered. */
  fallsBack?: true;
  templates: Localised<TemplateUses[]>;
}

/** Of a flow that compiles; what a webhook or the notification of an escalation says is one too. `path` is the flow's own. */
export const flowMessages = ({ stages }: Flow, path: string): FlowMessage[] =>
  stages.flatMap((stage, index) => messagesIn(stage, `${path}.stages[${index}]`));

function messagesIn(stage: Stage, path: string): FlowMessage[] {
  switch (stage.type) {
    case 'message':
      return inMessage(stage, path);
    case 'webhook': {
      const { id, channel, to, body } = stage;
      const templates = localisedUses({ body } as Content, path, to);
      return [{ stage: id, step: 0, channel, path, templates }];
    }
    case 'escalate': {
      if (stage.notify === undefined) return [];
      const { channel, to, content } = stage.notify;
      const at = `${path}.notify`;
      const templates = localisedUses(content, `${at}.content`, to, `${at}.to`);
      return [{ stage: stage.id, step: 0, channel, path: at, templates }];
    }
    case 'wait':
    case 'branch':
    case 'split':
    case 'end':
      return [];
  }
}

function inMessage(stage: Extract<Stage, { type: 'message' }>, path: string): FlowMessage[] {
  const { id, channel, fallback } = stage;
  const templates = localisedUses(stage.content, `${path}.content`);
  const fallsBack = (by: string | undefined = channel) =>
    fallback !== undefined && by === channel ? ({ fallsBack: true } as const) : {};
  const followUps = (stage.followUps ?? []).map((followUp, n): FlowMessage => {
    const at = `${path}.followUps[${n}]`;
    return {
      ...{ stage: id, step: n + 1, channel: followUp.channel ?? channel, path: at },
      templates: followUp.content ? localisedUses(followUp.content, `${at}.content`) : templates,
      ...fallsBack(followUp.channel),
    };
  });
  return [
    { stage: id, step: 0, channel, path, templates, ...fallsBack() },
    ...byFallback(stage, path, templates),
    ...followUps,
  ];
}

/** What the stage itself says there: a follow-up says nothing else than where it is at home. */
function byFallback(
  { id, fallback }: Extract<Stage, { type: 'message' }>,
  path: string,
  templates: FlowMessage['templates'],
): FlowMessage[] {
  if (fallback === undefined) return [];
  const { channel, content } = fallback;
  const at = `${path}.fallback`;
  const own = content ? localisedUses(content, `${at}.content`) : templates;
  return [{ stage: id, step: 0, channel, path: at, templates: own, fallback: true }];
}

/** `to`: the template of an address beside it. */
function localisedUses(content: Content, path: string, to?: string, toPath = `${path}.to`): FlowMessage['templates'] {
  const { base, locales } = templatesOf(content, path);
  const beside = to === undefined ? [] : [{ path: toPath, source: to, html: false }];
  const read = (strings: typeof base): TemplateUses[] =>
    [...strings, ...beside].map(({ path, source, html }) => ({ path, ...usesOf(parseTemplate(source, html)) }));
  return { base: read(base), locales: new Map([...locales].map(([tag, strings]) => [tag, read(strings)])) };
}

/** All templates of a message, whatever the language. */
export const everyTemplate = ({ templates: { base, locales } }: FlowMessage): TemplateUses[] => {
  const byPath = new Map([...base, ...[...locales.values()].flat()].map((uses) => [uses.path, uses]));
  return [...byPath.values()];
};

/** What a message can say to a contact, as far as it is known beforehand: nothing has happened yet. */
export function scopeFor(
  { campaignId, variables, campaign }: Pick<FlowContext, 'campaignId' | 'variables' | 'campaign'>,
  contact: Contact,
  { stage, step }: Pick<FlowMessage, 'stage' | 'step'>,
): Scope & { conversation: { id: string } } {
  const id = conversationId(campaignId, contact.id);
  return { contact, variables, campaign, conversation: { id, stage, step, sequence: step + 1 } as { id: string } };
}

/** A message of a compiled flow, and who gets it. */
export interface Letter {
  content: CompiledContent;
  channel: string;
  /** Its address for a contact; undefined: there is none, and it is skipped. */
  to(field: string, scope: Scope & { conversation: { id: string } }): ReturnType<typeof renderText> | undefined;
}

/** What a stage says at a step, or by its fallback there; undefined when it says nothing. As `produce` does it. */
export function letterAt(stage: CompiledStage | undefined, step: number, fallback?: boolean): Letter | undefined {
  const plain = (text: string | undefined) => (text === undefined ? undefined : ({ kind: 'rendered', text } as const));
  if (stage?.type === 'message') {
    const message = messageOf(stage, step, fallback);
    return message && { ...message, to: (field, { contact }) => plain(addressIn(contact, field)) };
  }
  if (stage?.type === 'escalate') {
    const { notify } = stage;
    return notify && { ...notify, to: (_, scope) => renderText(notify.to, scope) };
  }
  if (stage?.type !== 'webhook') return undefined;
  const { channel, content, to } = stage;
  const own: Letter['to'] = (field, { contact, conversation }) => plain(addressIn(contact, field) ?? conversation.id);
  return { channel, content, to: to ? (_, scope) => renderText(to, scope) : own };
}
