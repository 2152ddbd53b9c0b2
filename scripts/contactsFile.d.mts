export const badKinds: Record<string, (n: number) => string | Uint8Array>;
export function writeContactsFile(
  path: string,
  rows: number,
  bad: number,
): Promise<{ rows: number; bad: { line: number; kind: string }[] }>;
