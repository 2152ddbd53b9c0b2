/** Of this release; written to `members.version`. */
export const version = '0.1.0';
