export function startGateway(options: {
  port: number;
  replies: string;
  say: (kind: string, line: string) => void;
}): Promise<{ readonly port: number; close(): Promise<void> }>;
