export function withoutNotes<T>(node: T, kept?: string[]): T;
export function reference(schemas: Record<string, unknown>[]): string;
