export function startMailbox(options: {
  port: number;
  folder: string;
  say: (kind: string, line: string) => void;
}): Promise<{ readonly port: number; close(): Promise<void> }>;
