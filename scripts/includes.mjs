// Code in documents that stands in a file of its own: `<!-- from: examples/go/main.go#campaign -->` before a block says that the
// block is the region of that name, between lines with `region campaign` and `endregion`; without a name all of the file.

const block = /(<!-- from: ([^#\s]+)(?:#(\w+))? -->\n```(\w+)\n)[\s\S]*?(^```$)/gm;

function regionOf(text, name, path) {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.trim().match(/^(?:\/\/|#) ?#?region (\w+)$/)?.[1] === name);
  const to = lines.findIndex((line, index) => index > from && /^(?:\/\/|#) ?#?endregion$/.test(line.trim()));
  if (from < 0 || to < 0) throw new Error(`${path} has no region ${name}`);
  return lines
    .slice(from + 1, to)
    .join('\n')
    .trim();
}

/** The document with its blocks as the files have them now. `read` gives the text of a path. */
export const withIncludes = (document, read) =>
  document.replace(block, (_, head, path, name, __, end) => {
    const text = read(path);
    return `${head}${name === undefined ? text.trim() : regionOf(text, name, path)}\n${end}`;
  });
