export function withIncludes(document: string, read: (path: string) => string): string;
