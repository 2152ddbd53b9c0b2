/** What is no fault of a campaign, and hardly meant either: it starts, and its author should know. */
import type { Fault } from './errors.ts';
import { everyTemplate, type FlowMessage } from './flowMessages.ts';
import { heardStages, unreachable } from './flowReach.ts';
import { type Lacked, lackedBy, misnamed, type NameContext } from './knownNames.ts';
import { type Use, writtenAs } from './liquidUses.ts';

export interface AuthorContext extends NameContext {
  messages: readonly FlowMessage[];
  /** What fault paths begin with: `flow`, or `template.flow`. */
  path: string;
}

/** In the order of the flow: stages nothing leads to, and names that no message can say. */
export function flowWarnings(context: AuthorContext): Fault[] {
  const { flow, messages, path } = context;
  const heard = heardStages(flow);
  return onceEach([
    ...unreachable(flow).map(({ id, index }) => ({
      code: 'stage_unreachable',
      path: `${path}.stages[${index}]`,
      message: `no stage leads to ${JSON.stringify(id)}: nobody ever comes to it`,
    })),
    ...messages.flatMap((message) => unknownNames(message, context, heard)),
  ]);
}

/** Follow-ups have much from their stages. */
export const onceEach = (faults: readonly Fault[]): Fault[] =>
  faults.filter(
    ({ path, message }, index, all) => all.findIndex((one) => one.path === path && one.message === message) === index,
  );

function unknownNames(message: FlowMessage, context: AuthorContext, heard: ReadonlySet<string>): Fault[] {
  return everyTemplate(message).flatMap(({ path, required, all }) => {
    const fault = (use: Use, why: string | undefined): Fault[] =>
      why === undefined ? [] : [nameFault(path, `${writtenAs(use.path)}${lineOf(use)}`, why)];
    return [
      ...all.flatMap((use) => fault(use, misnamed(use.path, context))),
      ...required.flatMap((use) => fault(use, failing(lackedBy(use.path, context)))),
      ...required.flatMap((use) => fault(use, unheard(use, message.stage, heard))),
    ];
  });
}

const lineOf = ({ row }: Use): string => (row > 1 ? ` in its line ${row}` : '');

export const nameFault = (path: string, name: string, why: string): Fault => ({
  code: 'variable_unknown',
  path,
  message: `${name}: ${why}`,
});

const failing = (lacked: Lacked | undefined): string | undefined =>
  lacked && `${lacked.what}, and there is no default: the message fails${lacked.instead}`;

const unheard = ({ path: [root] }: Use, stage: string, heard: ReadonlySet<string>): string | undefined =>
  root !== 'event' || heard.has(stage)
    ? undefined
    : `no event leads to stage ${JSON.stringify(stage)}, and there is no default: the message fails`;
