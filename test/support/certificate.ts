import { generate } from 'selfsigned';

export interface CertificateOptions {
  /** The host it is for. Default `localhost`. */
  host?: string;
  /** Default: a year from now. */
  until?: Date;
}

/** A certificate that nobody signed but itself; whoever is given it as an authority trusts it. */
export async function selfSigned({ host = 'localhost', until }: CertificateOptions = {}): Promise<{
  key: string;
  cert: string;
}> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
    ...(until === undefined ? {} : { notBeforeDate: new Date(until.getTime() - 86_400_000), notAfterDate: until }),
  });
  return { key, cert };
}
