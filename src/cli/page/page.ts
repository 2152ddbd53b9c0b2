/** A page that needs nothing but itself: no script, no font, no picture from elsewhere unless its policy says so. */
import { Markup, markup } from './markup.ts';

export interface PageParts {
  title: string;
  style: string;
  /** Content-Security-Policy, beside what holds for every page. */
  policy: string;
  body: Markup | readonly Markup[];
}

/** The whole document. */
export const page = ({ title, style, policy, body }: PageParts): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(`default-src 'none'; ${policy}; base-uri 'none'; form-action 'none'`)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text;
