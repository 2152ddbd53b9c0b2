/**
 * How deep a template may nest. liquidjs calls itself for each level, both when it parses and when it renders, and to run out
 * of stack is more than an error that can be caught: where V8 comes to compile a regular expression on a stack that is all
 * but full, it ends the process.
 */
import type { Liquid, Token } from 'liquidjs';

/** Levels of tags within tags, lines of `liquid` among them: far over what anybody can read, and a tenth of the stack. */
const maxLevels = 100;
/** Opening brackets in one output or tag, for they may all stand within each other: at most a quarter of the stack. */
const maxBrackets = 500;

/** To be called when all tags are registered: parsing throws an Error where they nest too deep. */
export function boundLevels(liquid: Liquid): void {
  let level = 0;
  for (const [name, tag] of Object.entries(liquid.tags)) {
    // a tag parses what is in it while it is made
    const construct = (target: typeof tag, args: unknown[], made: object): object => {
      if (level >= maxLevels) throw new Error(`tags nest deeper than ${maxLevels} levels`);
      level += 1;
      try {
        return Reflect.construct(target, args, made as typeof tag);
      } finally {
        level -= 1;
      }
    };
    liquid.registerTag(name, new Proxy(tag, { construct }));
  }
}

/**
 * Throws an Error where an output or a tag has too many brackets. Those in quotes count as well: which they are is known only
 * when it is parsed.
 */
export function boundBrackets(written: Token): void {
  const brackets = written.getText().split(/[[(]/).length - 1;
  if (brackets <= maxBrackets) return;
  const [line, column] = written.getPosition();
  throw new Error(
    `${brackets} brackets are more than an output or a tag may have (${maxBrackets}), line:${line}, col:${column}`,
  );
}
