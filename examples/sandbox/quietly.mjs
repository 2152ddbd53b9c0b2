/** Says each of a few lines of a kind, and of many only how many more there were in that second. */
export function quietly(write, { each = 8 } = {}) {
  const kinds = new Map();
  return (kind, line) => {
    const seen = kinds.get(kind) ?? { count: 0 };
    if (seen.count === 0) {
      kinds.set(kind, seen);
      setTimeout(() => {
        kinds.delete(kind);
        if (seen.count > each) write(`${kind.padEnd(5)} … and ${seen.count - each} more`);
      }, 1000).unref();
    }
    seen.count += 1;
    if (seen.count <= each) write(`${kind.padEnd(5)} ${line}`);
  };
}
