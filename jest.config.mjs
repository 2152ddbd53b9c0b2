/** Real ESM through the VM modules flag (scripts/test.mjs sets it); swc only strips the types. */
const swc = [
  '@swc/jest',
  {
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript' },
      experimental: { keepImportAttributes: true },
    },
    module: { type: 'nodenext' },
    sourceMaps: 'inline',
  },
];
const base = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': swc },
};
const project = (name, extra = {}) => ({
  ...base,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  ...extra,
});
const database = {
  globalSetup: '<rootDir>/test/support/globalSetup.mjs',
  globalTeardown: '<rootDir>/test/support/globalTeardown.mjs',
};

export default {
  maxWorkers: 2,
  // modules of a file stay in memory when it is over
  workerIdleMemoryLimit: '700MB',
  testTimeout: 120_000,
  projects: [
    project('unit'),
    project('contract', database),
    project('integration', database),
    project('fault', database),
    project('e2e', database),
  ],
  collectCoverageFrom: ['src/domain/**/*.ts', '!src/domain/generated/**', '!src/domain/*Ports.ts'],
  coverageReporters: ['text-summary', 'text'],
};
